"""Compares random LoRA options with PEFT for as long as asked: python compare_lora_live.py --minutes 10 [--seed N]

Each round draws a tiny Llama (tied or not, with biases or not), perhaps kept in 4 bits, and options. PEFT makes an
adapter with random tensors; evaluated and merged by the command line, the model must give what PEFT gives. Then the
command line trains an adapter with those options, and PEFT must load it and give the same loss. Needs the packages of
compare_live.py. Exit code 1 if a comparison is out of its tolerance; a round can be repeated by its seed.
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile
import time

import compare_live as live
import tiny_models
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def draw_options(draw, config, four_bit):
    """A set of options that PEFT takes."""
    names = draw.sample(LINEAR, draw.randint(1, 4))
    options = {"r": draw.choice([2, 4, 6]), "lora_alpha": draw.randint(1, 12), "target_modules": names}
    kind = draw.choice(["names", "regex", "all", "embedding"])
    if kind == "regex":
        options["target_modules"] = r"model\.layers\.\d\..*\.(" + "|".join(names) + ")"
    elif kind == "all":
        options["target_modules"] = "all-linear"
    elif kind == "embedding":
        options["target_modules"] = [*names, "embed_tokens"]
    if draw.random() < 0.3:
        options["use_rslora"] = True
    if draw.random() < 0.3:
        options["use_dora"] = True
    if draw.random() < 0.3:
        # PEFT saves patterns sorted, and tries them in that order when it loads: drawn in another, it cannot load its own.
        options["rank_pattern"] = {r".*\.1\..*": draw.randint(1, 5), draw.choice(LINEAR): draw.randint(1, 5)}
        options["alpha_pattern"] = {draw.choice(LINEAR): draw.randint(1, 12)}
    if draw.random() < 0.3:
        options["bias"] = draw.choice(["all", "lora_only"])
    if kind in ("names", "embedding") and draw.random() < 0.3:
        options["layers_to_transform"] = [draw.randint(0, 1)]
    if kind != "embedding" and draw.random() < 0.2:
        options["exclude_modules"] = [f"layers.{draw.randint(0, 1)}.self_attn.{draw.choice(LINEAR[:4])}"]
        options["target_modules"] = "all-linear"
        options.pop("layers_to_transform", None)
    if kind != "embedding" and draw.random() < 0.3:
        options["trainable_token_indices"] = sorted(draw.sample(range(4, config.vocab_size), 3))
    elif draw.random() < 0.3:
        options["modules_to_save"] = draw.sample(["norm", "lm_head"], draw.randint(1, 2))
    if not options.get("use_dora") and config.mlp_bias and kind != "embedding" and not four_bit and draw.random() < 0.3:
        options["lora_bias"] = True
    elif not four_bit and draw.random() < 0.3:
        options["init_lora_weights"] = draw.choice(["pissa", "olora", "gaussian", "orthogonal"])
        if options["init_lora_weights"] == "orthogonal":
            options.pop("rank_pattern", None)
    return options


def load(directory, four_bit, adapter=None):
    options = {}
    if four_bit:
        kind, nested = four_bit
        options["device_map"] = "cpu"
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=kind,
            bnb_4bit_use_double_quant=nested,
            bnb_4bit_compute_dtype=torch.float32,
        )
    model = live.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, **options)
    return (PeftModel.from_pretrained(model, adapter) if adapter else model).eval()


def evaluate(model, data, *options):
    printed = live.panatune("eval", "--model", model, "--data", data, "--dtype", "fp32", "--json", *options)
    return json.loads(printed)["metrics"]["loss"]


def compare(report, folder, seed):
    draw = random.Random(seed)
    tied = draw.random() < 0.4
    config = tiny_models.tied_config() if tied else tiny_models.untied_config()
    four_bit = draw.choice([None, None, ("nf4", True), ("nf4", False), ("fp4", True), ("fp4", False)])
    options = draw_options(draw, config, four_bit)
    print(f"round {seed}: {'tied' if tied else 'untied'} {four_bit or ''} {json.dumps(options)}", flush=True)
    model, adapter, data = folder / "model", folder / "adapter", folder / "rows.jsonl"
    tiny_models.save(tiny_models.random_model(config, seed), model, torch.float32)
    torch.manual_seed(seed)
    peft = get_peft_model(load(model, four_bit), LoraConfig(task_type="CAUSAL_LM", **options))
    tiny_models.randomise_adapter(peft, seed)
    peft.save_pretrained(adapter)
    rows = live.text_rows(data, seed)
    tokenizer = AutoTokenizer.from_pretrained(model)
    quantised = ["--load-in-4bit", "--quant-type", four_bit[0]] if four_bit else []
    quantised += ["--double-quant"] if four_bit and four_bit[1] else []

    def theirs(path):
        return live.measure(load(model, four_bit, path), tokenizer, rows)[0].mean().item()

    expected = theirs(adapter)
    found = evaluate(model, data, "--adapter", adapter, *quantised)
    report.within("  with PEFT's adapter", abs(found - expected) / expected, 1e-5)
    targets = options["target_modules"]
    if not (tied and "embed_tokens" in targets) and not four_bit:
        live.panatune("merge", "--model", model, "--adapter", adapter, "--dtype", "fp32", "--out", folder / "merged")
        found = evaluate(folder / "merged", data)
        report.within("  merged", abs(found - expected) / expected, 1e-5)
    settings = {
        "model": {"path": str(model), "dtype": "float32"},
        "peft": {"peft_type": "LORA", **options},
        "data": {"train": str(data), "max_length": 64},
        "training": {"max_steps": 4, "per_device_train_batch_size": 4, "learning_rate": 1e-2},
        "output_dir": str(folder / "trained"),
        "seed": seed,
    }
    if four_bit:
        settings["model"] |= {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": four_bit[0],
            "bnb_4bit_use_double_quant": four_bit[1],
            "bnb_4bit_compute_dtype": "float32",
        }
    run = folder / "run.yaml"
    run.write_text(json.dumps(settings))
    live.panatune("train", run)
    expected = theirs(folder / "trained")
    found = evaluate(model, data, "--adapter", folder / "trained", *quantised)
    report.within("  trained here, by PEFT", abs(found - expected) / expected, 1e-5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    report = live.Report()
    end = time.monotonic() + 60 * arguments.minutes
    seed = arguments.seed
    while True:
        with tempfile.TemporaryDirectory() as folder:
            compare(report, pathlib.Path(folder), seed)
        seed += 1
        if time.monotonic() >= end:
            break
    print(f"{seed - arguments.seed} rounds, {report.failed} comparisons out of tolerance")
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
