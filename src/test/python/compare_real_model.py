"""Takes a real model through the whole job and compares with transformers and PEFT: python compare_real_model.py MODEL

MODEL is a GGUF file, or a directory as transformers saves it. Needs torch 2.13.0, transformers 5.23.0, peft 0.21.2 and
gguf 0.19.0, and memory for the model in float32 three times. The perplexity in float32 of the same texts,
definitions and some in many scripts, must agree to 1e-3, each from the same files on either side: of the base, of the
base with an adapter that is trained here (QLoRA in bf16), of the merged directory and of a GGUF file made of it; so must
a greedy answer of the merged model. Prints one line a comparison; exit code 1 if one is out of its tolerance.
"""

import argparse
import gc
import json
import math
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import compare_live as live
import torch
from peft import PeftModel
from tokenizer_fixtures import CORPUS
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

DATA = live.PANATUNE.parents[1] / "examples" / "data"
LIMIT = 1e-3


def located(model):
    """The arguments of from_pretrained."""
    return (model.parent, {"gguf_file": model.name}) if model.is_file() else (model, {})


def load_tokenizer(model):
    directory, options = located(model)
    return AutoTokenizer.from_pretrained(directory, **options)


def load_model(model):
    directory, options = located(model)
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, **options).eval()


def definitions(count):
    lines = (DATA / "wordnet-definitions-eval.jsonl").read_text().splitlines()[:count]
    return [f"{row['input']}: {row['output']}." for row in map(json.loads, lines)]


def compare_perplexity(report, what, model, data, rows, tokenizer, adapter=None):
    """Returns ours."""
    options = ["--adapter", adapter] if adapter else []
    printed = live.panatune("eval", "--model", model, "--data", data, "--dtype", "fp32", "--json", *options)
    ours = json.loads(printed)["metrics"]["perplexity"]
    theirs = load_model(model)
    if adapter:
        theirs = PeftModel.from_pretrained(theirs, adapter).eval()
    expected = math.exp(live.measure(theirs, tokenizer, rows)[0].mean().item())
    report.within(f"{what}: perplexity {ours:.5f}, in Python {expected:.5f}", abs(ours - expected) / expected, LIMIT)
    del theirs
    gc.collect()
    return ours


def train(model, folder):
    run = folder / "run.yaml"
    quantised = {f"bnb_4bit_{key}": value for key, value in
                 {"quant_type": "nf4", "use_double_quant": True, "compute_dtype": "bfloat16"}.items()}  # fmt: skip
    settings = {
        "model": {"path": str(model), "dtype": "bfloat16", "load_in_4bit": True, **quantised},
        "peft": {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": "all-linear"},
        "data": {"train": str(DATA / "wordnet-definitions-train.jsonl"), "max_length": 128},
        "training": {"max_steps": 6, "per_device_train_batch_size": 8, "learning_rate": 5e-4, "bf16": True},
        "output_dir": str(folder / "adapter"),
        "seed": 1,
    }
    run.write_text(json.dumps(settings))
    live.panatune("train", run)
    return folder / "adapter"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, help="a new folder to leave the results in")
    parser.add_argument("--rows", type=int, default=24, help="of the held-out definitions")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    model = arguments.model.resolve()
    report = live.Report()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer = load_tokenizer(model)
        rows = definitions(arguments.rows) + [text for text in CORPUS if len(text) > 20]
        data = folder / "rows.jsonl"
        data.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))

        base = compare_perplexity(report, "base", model, data, rows, tokenizer)
        adapter = train(model, folder)
        adapted = compare_perplexity(report, "with the adapter", model, data, rows, tokenizer, adapter)
        report.same("the adapter changes the perplexity by 1 % or more", abs(adapted - base) / base > 1e-2, True)
        merged = folder / "merged"
        live.panatune("merge", "--model", model, "--adapter", adapter, "--out", merged)
        merged_tokenizer = load_tokenizer(merged)
        compare_perplexity(report, "merged", merged, data, rows, merged_tokenizer)
        live.compare_generation(report, "merged", merged, merged_tokenizer)
        exported = folder / "merged.gguf"
        live.panatune("export", "--model", merged, "--out", exported, "--type", "q8_0")
        compare_perplexity(report, "exported as Q8_0", exported, data, rows, load_tokenizer(exported))
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
