"""Compares random options with PEFT for as long as asked: python compare_peft_live.py --minutes 10 [--seed N] [--method M]

Each round draws a tiny Llama (tied or not, with biases or not), perhaps kept in 4 bits, a method (LORA, IA3,
PROMPT_TUNING or PREFIX_TUNING) and its options. PEFT makes an adapter with random tensors; evaluated and merged by the
command line (in 4 bits: quantised again, code by code), the model must give what PEFT gives. Then the command line trains an adapter with those options, and PEFT
must load it and give the same loss. Needs the packages of
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
from peft import (
    IA3Config,
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptTuningConfig,
    get_peft_model,
)
from transformers import AutoTokenizer
from transformers.utils import logging

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def draw_ia3(draw, config, four_bit):
    if draw.random() < 0.3:
        return {}
    names = draw.sample(LINEAR, draw.randint(1, 5))
    options = {"target_modules": names, "feedforward_modules": draw.sample(names, draw.randint(0, len(names)))}
    if draw.random() < 0.3:
        inside = "|".join(names)
        options = {
            "target_modules": rf".*\.({inside})",
            "feedforward_modules": rf".*\.{draw.randint(0, 1)}\..*\.({inside})",
        }
    if draw.random() < 0.3:
        options["exclude_modules"] = [f"layers.0.{'mlp' if names[0] in LINEAR[4:] else 'self_attn'}.{names[0]}"]
    if draw.random() < 0.3:
        options["modules_to_save"] = draw.sample(["norm", "lm_head"], draw.randint(1, 2))
    return options


def draw_prompt(draw, config, four_bit):
    options = {"num_virtual_tokens": draw.randint(1, 8), "prompt_tuning_init": draw.choice(["RANDOM", "TEXT", "SAMPLE_VOCAB"])}
    if options["prompt_tuning_init"] == "TEXT":
        options["prompt_tuning_init_text"] = draw.choice(tiny_models.TEXT)
    return options


def draw_prefix(draw, config, four_bit):
    options = {"num_virtual_tokens": draw.randint(1, 8), "prefix_projection": draw.random() < 0.5}
    if options["prefix_projection"] and draw.random() < 0.6:
        options["encoder_hidden_size"] = draw.randint(4, 24)
    return options


def draw_lora(draw, config, four_bit):
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


METHODS = {
    "LORA": (LoraConfig, draw_lora),
    "IA3": (IA3Config, draw_ia3),
    "PROMPT_TUNING": (PromptTuningConfig, draw_prompt),
    "PREFIX_TUNING": (PrefixTuningConfig, draw_prefix),
}


def load(directory, four_bit, adapter=None):
    options = tiny_models.quantization(*four_bit) if four_bit else {}
    model = live.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, **options)
    return (PeftModel.from_pretrained(model, adapter) if adapter else model).eval()


def evaluate(model, data, *options):
    printed = live.panatune("eval", "--model", model, "--data", data, "--dtype", "fp32", "--json", *options)
    return json.loads(printed)["metrics"]["loss"]


def compare_requantised(report, folder, model, adapter, four_bit, quantised, tokenizer, rows):
    """Merged and put into 4 bits again; a weight that lies between two codes may fall to either side."""
    arguments = ("--adapter", adapter, "--dtype", "fp32", *quantised, "--requantize")
    live.panatune("merge", "--model", model, *arguments, "--out", folder / "requantised")
    theirs = load(model, four_bit, adapter).merge_and_unload()
    ours = load(folder / "requantised", None)
    stored, expected = ours.state_dict(), theirs.state_dict()
    codes = [key for key, value in expected.items() if key.endswith(".weight") and value.dtype == torch.uint8]
    differing = sum((stored[key] != expected[key]).sum().item() for key in codes)
    count = sum(expected[key].numel() for key in codes)
    report.within(f"  requantised, share of {count} bytes", differing / count if codes else 1, 1e-4)
    loss = live.measure(theirs, tokenizer, rows)[0].mean().item()
    found = live.measure(ours, tokenizer, rows)[0].mean().item()
    limit = 1e-3 if differing else 1e-5
    report.within("  requantised here, by transformers", abs(found - loss) / loss, limit)
    found = evaluate(folder / "requantised", folder / "rows.jsonl")
    report.within("  requantised", abs(found - loss) / loss, limit)


def compare(report, folder, seed, method):
    draw = random.Random(seed)
    method = method or draw.choice(sorted(METHODS))
    tied = draw.random() < 0.4
    config = tiny_models.tied_config() if tied else tiny_models.untied_config()
    four_bit = draw.choice([None, None, ("nf4", True), ("nf4", False), ("fp4", True), ("fp4", False)])
    kind, draw_options = METHODS[method]
    options = draw_options(draw, config, four_bit)
    print(f"round {seed}: {method} {'tied' if tied else 'untied'} {four_bit or ''} {json.dumps(options)}", flush=True)
    model, adapter, data = folder / "model", folder / "adapter", folder / "rows.jsonl"
    tiny_models.save(tiny_models.random_model(config, seed), model, torch.float32)
    torch.manual_seed(seed)
    more = {"tokenizer_name_or_path": str(model)} if "prompt_tuning_init_text" in options else {}
    peft = get_peft_model(load(model, four_bit), kind(task_type="CAUSAL_LM", **options, **more))
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
    mergeable = method in ("LORA", "IA3") and not (tied and "embed_tokens" in options.get("target_modules", []))
    if method == "LORA" and mergeable and four_bit:
        compare_requantised(report, folder, model, adapter, four_bit, quantised, tokenizer, rows)
    if mergeable and not four_bit:
        live.panatune("merge", "--model", model, "--adapter", adapter, "--dtype", "fp32", "--out", folder / "merged")
        found = evaluate(folder / "merged", data)
        report.within("  merged", abs(found - expected) / expected, 1e-5)
        found = live.measure(load(folder / "merged", None), tokenizer, rows)[0].mean().item()
        report.within("  merged here, by transformers", abs(found - expected) / expected, 1e-5)
    settings = {
        "model": {"path": str(model), "dtype": "float32"},
        "peft": {"peft_type": method, **options, **more},
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
    parser.add_argument("--method", choices=sorted(METHODS), help="one method only")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    report = live.Report()
    end = time.monotonic() + 60 * arguments.minutes
    seed = arguments.seed
    while True:
        with tempfile.TemporaryDirectory() as folder:
            compare(report, pathlib.Path(folder), seed, arguments.method)
        seed += 1
        if time.monotonic() >= end:
            break
    print(f"{seed - arguments.seed} rounds, {report.failed} comparisons out of tolerance")
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
