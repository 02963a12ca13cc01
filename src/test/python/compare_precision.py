"""How far bf16 training drifts from fp32, here and in PEFT: python compare_precision.py [--seeds 1 2 3 4 5 6] [--steps 50]

For each seed a small random Llama with bf16 weights and a random LoRA adapter of all linear layers are trained four
times on the same batches: by PEFT in fp32 and in bf16 (fp32 adapters under autocast), and by the command line in both.
The two fp32 runs must have the same losses: nearly to fp32's rounding in the first steps, and over all of them far
closer than bf16 is, since a difference of 1e-7 grows a thousandfold in 25 steps of this model; of bf16 the mean and
the largest deviation from fp32 over all steps are printed. One seed tells little, since the deviations of a run's steps hang together: what is compared are the means of
both over the seeds, of which ours may not be larger than PEFT's; the mean difference is printed with its standard error.
Needs the packages of compare_live.py.
"""

import argparse
import json
import pathlib
import random
import statistics
import sys
import tempfile

import compare_live as live
import tiny_models
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoTokenizer, LlamaConfig
from transformers.utils import logging

BATCH = 4
FIRST_STEPS = 5
RATE = 1e-3


def configuration():
    return LlamaConfig(
        vocab_size=tiny_models.VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.08,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=3,
    )


def write_rows(path, count, seed):
    """Rows of words that are drawn from a few, so that there is something to learn."""
    draw = random.Random(seed)
    words = " ".join(tiny_models.TEXT).split()
    rows = [" ".join(draw.choices(words, k=draw.randint(10, 25))) for _ in range(count)]
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    return rows


def train_peft(base, adapter, rows, tokenizer, dtype):
    """The losses of the steps, one a batch of rows in their order."""
    model = PeftModel.from_pretrained(live.load(base, dtype), adapter, is_trainable=True)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert all(parameter.dtype == torch.float32 for parameter in trained)
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    losses = []
    for start in range(0, len(rows), BATCH):
        batch = tokenizer(rows[start : start + BATCH], return_tensors="pt", padding=True)
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = model(**batch, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def train_here(base, adapter, data, folder, dtype):
    settings = {
        "model": {"path": str(base), "dtype": dtype},
        "peft": {"adapter_name_or_path": str(adapter)},
        "data": {"train": str(data), "max_length": 256},
        "training": {
            "num_train_epochs": 1,
            "per_device_train_batch_size": BATCH,
            "learning_rate": RATE,
            "lr_scheduler_type": "constant",
            "train_sampling_strategy": "sequential",
            "bf16": dtype == "bfloat16",
            "logging_steps": 1,
            "save_strategy": "no",
        },
        "output_dir": str(folder / dtype),
        "seed": 1,
    }
    run = folder / f"{dtype}.yaml"
    run.write_text(json.dumps(settings))
    live.panatune("train", run)
    logged = map(json.loads, (folder / dtype / "trainer_log.jsonl").read_text().splitlines())
    return [line["loss"] for line in logged if "loss" in line]


def deviations(losses, exact):
    assert len(losses) == len(exact)
    return [abs(a - b) for a, b in zip(losses, exact)]


def compare(report, seed, steps, folder):
    base, adapter, data = folder / "model", folder / "adapter", folder / "rows.jsonl"
    tiny_models.save(tiny_models.random_model(configuration(), seed), base, torch.bfloat16)
    fresh = get_peft_model(
        live.load(base), LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules="all-linear")
    )
    tiny_models.randomise_adapter(fresh, seed)
    fresh.save_pretrained(adapter)
    rows = write_rows(data, steps * BATCH, seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    exact = train_peft(base, adapter, rows, tokenizer, torch.float32)
    ours = train_here(base, adapter, data, folder, "float32")
    apart = [deviation / loss for deviation, loss in zip(deviations(ours, exact), exact)]
    report.within(f"seed {seed}: fp32, losses of the first {FIRST_STEPS} steps", max(apart[:FIRST_STEPS]), 2e-5)
    report.within(f"seed {seed}: fp32, losses of {steps} steps", max(apart), 5e-4)
    theirs = deviations(train_peft(base, adapter, rows, tokenizer, torch.bfloat16), exact)
    here = deviations(train_here(base, adapter, data, folder, "bfloat16"), ours)
    for name, values in (("PEFT", theirs), ("here", here)):
        print(f"     seed {seed}: bf16 {name}: mean {sum(values) / steps:.2e}, largest {max(values):.2e}", flush=True)
    return {"mean": (sum(theirs) / steps, sum(here) / steps), "largest": (max(theirs), max(here))}


def judge(report, what, pairs):
    """Pairs of PEFT's deviation and ours, one a seed."""
    theirs, ours = (statistics.fmean(pair[i] for pair in pairs) for i in (0, 1))
    differences = [ours - theirs for theirs, ours in pairs]
    error = statistics.stdev(differences) / len(pairs) ** 0.5 if len(pairs) > 1 else float("nan")
    smaller = sum(difference < 0 for difference in differences)
    print(
        f"     bf16, {what} deviation over {len(pairs)} seeds: here {ours:.3e}, PEFT {theirs:.3e};"
        f" difference {ours - theirs:+.1e} +- {error:.1e}, smaller here in {smaller}"
    )
    report.within(f"bf16, {what} deviation, mean of all seeds", ours, theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    report = live.Report()
    seeds = []
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            seeds.append(compare(report, seed, arguments.steps, pathlib.Path(folder)))
    for what in ("mean", "largest"):
        judge(report, what, [seed[what] for seed in seeds])
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
