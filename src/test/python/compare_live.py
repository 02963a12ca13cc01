"""Compares the command line with Python's packages on fresh random models: python compare_live.py [--keep DIR]

Needs torch 2.13.0, transformers 5.23.0, peft 0.21.2 and bitsandbytes 0.50.2. For each model: evaluation in fp32, bf16
and 4 bit, with an adapter and without; greedy answers; merging, read back by transformers; a short training run whose
adapter PEFT loads. Prints one line a comparison; exit code 1 if one is out of its tolerance.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

import tiny_models

PANATUNE = pathlib.Path(__file__).resolve().parents[3] / "bin" / "panatune"
FOUR_BIT = ["--load-in-4bit", "--double-quant"]


class Report:
    """Collects comparisons; `limit` is the largest deviation that passes."""

    def __init__(self):
        self.failed = 0

    def within(self, what, deviation, limit):
        good = deviation <= limit
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {what}: {deviation:.2e} (at most {limit:.0e})", flush=True)

    def same(self, what, ours, theirs):
        good = ours == theirs
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {what}" + ("" if good else f": {ours} is not {theirs}"), flush=True)


def panatune(*arguments):
    command = [str(PANATUNE), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def load(directory, dtype=torch.float32, adapter=None, four_bit=False):
    options = tiny_models.quantization("nf4", True, dtype) if four_bit else {}
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, **options)
    return (PeftModel.from_pretrained(model, adapter) if adapter else model).eval()


def text_rows(path, seed):
    """Rows {"text"} of random printable characters, of 5 to 80."""
    draw = random.Random(seed)
    rows = ["".join(chr(draw.randint(33, 126)) for _ in range(draw.randint(5, 80))) for _ in range(12)]
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    return rows


@torch.no_grad()
def measure(model, tokenizer, rows):
    """The losses of tokens 2..n of all rows, and the share of them that the model would have chosen."""
    losses, right = [], 0
    for row in rows:
        ids = tokenizer(row, return_tensors="pt").input_ids
        # Virtual tokens come before the row's own.
        # In float32 torch's own sum over a real vocabulary would be off by 5e-5.
        logits, targets = model(ids).logits[0, -ids.shape[1] : -1].double(), ids[0, 1:]
        losses.append(cross_entropy(logits, targets, reduction="none"))
        right += (logits.argmax(-1) == targets).sum().item()
    losses = torch.cat(losses)
    return losses, right / len(losses)


def rounding_limit(losses, exact):
    """How far a mean of bf16 losses may lie from fp32's: three standard errors of what Python's rounding does to a token.

    The mean of Python's own deviations is no measure: on one set of rows they may cancel by chance.
    """
    deviations = losses - exact
    return max(2e-3, 3 * (deviations.square().mean() / len(deviations)).sqrt().item())


def compare_evaluation(report, name, model, adapter, data, rows, tokenizer):
    for dtype, type_name in ((torch.float32, "fp32"), (torch.bfloat16, "bf16")):
        for four_bit in (False, True):
            what = f"{name}: {type_name}{' nf4' if four_bit else ''}{' with adapter' if adapter else ''}"
            options = ["--adapter", adapter] if adapter else []
            options += FOUR_BIT if four_bit else []
            printed = panatune("eval", "--model", model, "--data", data, "--dtype", type_name, "--json", *options)
            metrics = json.loads(printed)["metrics"]
            losses, accuracy = measure(load(model, dtype, adapter, four_bit), tokenizer, rows)
            if dtype == torch.float32:
                loss = losses.mean().item()
                report.within(f"{what}, loss", abs(metrics["loss"] - loss) / loss, 1e-5)
                report.within(f"{what}, accuracy", abs(metrics["token_accuracy"] - accuracy), 1e-12)
            else:
                exact, _ = measure(load(model, torch.float32, adapter, four_bit), tokenizer, rows)
                deviation = abs(metrics["loss"] - exact.mean().item())
                report.within(f"{what}, loss against fp32", deviation, rounding_limit(losses, exact))


def compare_generation(report, name, model, tokenizer):
    prompt = "the quick brown"
    arguments = ["--prompt-format", "raw", "--greedy", "--max-new-tokens", 24, "--dtype", "fp32", "--json"]
    ours = json.loads(panatune("generate", "--model", model, "--prompt", prompt, *arguments))
    ids = tokenizer(prompt, return_tensors="pt")
    theirs = load(model).generate(**ids, max_new_tokens=24, do_sample=False)[0, ids.input_ids.shape[1] :].tolist()
    stop = tokenizer.eos_token_id
    report.same(f"{name}: prompt", ours["prompt_token_ids"], ids.input_ids[0].tolist())
    without_end = [token for token in theirs if token != stop]
    report.same(f"{name}: greedy answer", [token for token in ours["token_ids"] if token != stop], without_end)


@torch.no_grad()
def logits_deviation(ours, theirs, ids):
    actual, expected = ours(ids).logits, theirs(ids).logits
    return ((actual - expected).abs().max() / expected.abs().max()).item()


def compare_merging(report, name, model, adapter, folder):
    ids = tiny_models.token_rows(2, 24, 5)
    panatune("merge", "--model", model, "--adapter", adapter, "--dtype", "fp32", "--out", folder / "merged")
    merged = load(model, adapter=adapter).merge_and_unload()
    report.within(f"{name}: merged, logits", logits_deviation(load(folder / "merged"), merged, ids), 2e-5)
    panatune("merge", "--model", model, "--adapter", adapter, "--dtype", "fp32", *FOUR_BIT, "--out", folder / "full")
    unmerged = load(model, adapter=adapter, four_bit=True)
    report.within(f"{name}: merged from nf4, logits", logits_deviation(load(folder / "full"), unmerged, ids), 2e-5)


def compare_training(report, name, model, data, folder, tokenizer, rows):
    run = folder / "run.yaml"
    settings = {
        "model": {"path": str(model), "dtype": "float32"},
        "peft": {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": "all-linear"},
        "data": {"train": str(data), "max_length": 128},
        "training": {
            "max_steps": 6,
            "per_device_train_batch_size": 4,
            "learning_rate": 1e-2,
            "lr_scheduler_type": "constant",
        },
        "output_dir": str(folder / "trained"),
        "seed": 1,
    }
    run.write_text(json.dumps(settings))
    panatune("train", run)
    adapter = folder / "trained"
    moved = load_file(adapter / "adapter_model.safetensors")
    report.same(f"{name}: trained, B is not zero", any(v.abs().max() > 0 for k, v in moved.items() if "lora_B" in k), True)
    printed = panatune("eval", "--model", model, "--adapter", adapter, "--data", data, "--dtype", "fp32", "--json")
    losses, _ = measure(load(model, adapter=adapter), tokenizer, rows)
    loss = losses.mean().item()
    report.within(f"{name}: trained, loss by PEFT", abs(json.loads(printed)["metrics"]["loss"] - loss) / loss, 1e-5)


def compare_model(report, name, config, dtype, seed, folder):
    folder.mkdir(parents=True)
    model, adapter, data = folder / "model", folder / "adapter", folder / "rows.jsonl"
    tiny_models.save(tiny_models.random_model(config, seed), model, dtype)
    lora = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=6, target_modules="all-linear")
    peft = get_peft_model(load(model), lora)
    tiny_models.randomise_adapter(peft, seed)
    peft.save_pretrained(adapter)
    rows = text_rows(data, seed)
    tokenizer = AutoTokenizer.from_pretrained(model)
    compare_evaluation(report, name, model, None, data, rows, tokenizer)
    compare_evaluation(report, name, model, adapter, data, rows, tokenizer)
    compare_generation(report, name, model, tokenizer)
    compare_merging(report, name, model, adapter, folder)
    compare_training(report, name, model, data, folder, tokenizer, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=pathlib.Path, help="a new folder to leave the models and results in")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(f"seed {arguments.seed}")
    report = Report()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        seed = arguments.seed
        compare_model(report, "untied", tiny_models.untied_config(), torch.bfloat16, seed, folder / "untied")
        compare_model(report, "tied", tiny_models.tied_config(), torch.float32, seed + 1, folder / "tied")
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
