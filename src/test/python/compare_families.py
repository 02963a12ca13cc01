"""Compares random configurations of every family with transformers and PEFT, for as long as asked:
python compare_families.py [--seconds 600] [--seed 1] [--panatune COMMAND]

Needs torch 2.13.0, transformers 5.23.0, peft 0.21.2. Each round draws a family and its options, makes a random model,
and compares the loss of `panatune eval` with transformers', with a random LoRA adapter of all linear layers and without.
Prints one line a comparison; exit code 1 if one is out of its tolerance.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers.utils import logging

import family_models
import tiny_models
from make_family_fixtures import randomise

PANATUNE = pathlib.Path(__file__).resolve().parents[3] / "bin" / "panatune"
LIMIT = 1e-5
ROPE_FAMILIES = ["llama", "mistral", "qwen2", "qwen3", "smollm3", "granite", "olmo2", "gemma2"]


def draw_rope(draw, rotated, kinds):
    kind = draw.choice(kinds)
    rope = {"rope_type": kind, "rope_theta": draw.choice([50.0, 1000.0, 10000.0])}
    if kind != "default":
        rope["factor"] = draw.choice([1.5, 4.0])
    if kind in ("llama3", "yarn", "longrope"):
        rope["original_max_position_embeddings"] = draw.choice([16, 32])
    if kind == "llama3":
        rope |= {"low_freq_factor": 1.0, "high_freq_factor": draw.choice([2.0, 4.0])}
    if kind == "yarn":
        rope |= draw.choice([{}, {"beta_fast": 4.0, "beta_slow": 0.5}, {"attention_factor": 1.3}, {"truncate": False}])
    if kind == "longrope":
        rope |= {name: [draw.uniform(1, 4) for _ in range(rotated // 2)] for name in ("short_factor", "long_factor")}
    return rope


def draw_settings(draw):
    """The options of a random model of a random family."""
    family = draw.choice([*ROPE_FAMILIES, "gemma3_text", "phi3", "gpt2", "gpt_neox"])
    heads, head_dim = draw.choice([2, 4]), draw.choice([8, 16])
    hidden = heads * head_dim
    layers = draw.randint(1, 4)
    eps = draw.choice([1e-5, 1e-3])
    if family == "gpt2":
        return {
            "model_type": "gpt2", "n_embd": hidden, "n_inner": draw.choice([None, 40]), "n_layer": layers, "n_head": heads,
            "n_positions": 128, "layer_norm_epsilon": eps, "initializer_range": 0.2, "bos_token_id": 0, "eos_token_id": 2,
            "scale_attn_weights": draw.random() < 0.7, "scale_attn_by_inverse_layer_idx": draw.random() < 0.5,
            "activation_function": draw.choice(["gelu_new", "gelu", "relu"]),
        }  # fmt: skip
    settings = {
        "model_type": family, "hidden_size": hidden, "intermediate_size": draw.choice([24, 40]), "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": draw.choice([1, 2, heads]), "max_position_embeddings": 128,
        "initializer_range": 0.2, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 3, "rms_norm_eps": eps,
        "tie_word_embeddings": draw.random() < 0.5,
    }  # fmt: skip
    window = draw.choice([5, 17, 40])
    if family in ROPE_FAMILIES:
        settings["rope_parameters"] = draw_rope(draw, head_dim, ["default", "linear", "llama3", "yarn"])
    if family in ("llama", "qwen3", "smollm3", "granite", "olmo2"):
        settings["attention_bias"] = draw.random() < 0.5
    if family in ("llama", "smollm3", "granite"):
        settings["mlp_bias"] = draw.random() < 0.5
    if family == "mistral":
        settings["sliding_window"] = draw.choice([None, window])
    if family in ("qwen2", "qwen3", "smollm3"):
        settings |= {"use_sliding_window": draw.random() < 0.5, "sliding_window": window}
    if family in ("qwen2", "qwen3"):
        settings["max_window_layers"] = draw.randint(0, layers)
    if family == "smollm3":
        settings["no_rope_layer_interval"] = draw.choice([2, 3])
    if family in ("qwen3", "gemma2", "gemma3_text", "llama", "mistral"):
        settings["head_dim"] = head_dim
    if family in ("gemma2", "gemma3_text"):
        settings |= {
            "sliding_window": window, "query_pre_attn_scalar": draw.choice([3, 8]),
            "layer_types": [draw.choice(["full_attention", "sliding_attention"]) for _ in range(layers)],
            "final_logit_softcapping": draw.choice([None, 4.0]), "attn_logit_softcapping": draw.choice([None, 2.0]),
        }  # fmt: skip
    if family == "gemma3_text":
        settings["rope_parameters"] = {
            "full_attention": draw_rope(draw, head_dim, ["default", "linear"]),
            "sliding_attention": draw_rope(draw, head_dim, ["default"]),
        }
    if family == "phi3":
        part = draw.choice([0.5, 1.0])
        rope = draw_rope(draw, int(head_dim * part), ["default", "longrope"])
        rope.pop("factor", None)
        settings |= {"original_max_position_embeddings": 32, "sliding_window": draw.choice([None, window])}
        settings["rope_parameters"] = rope | {"partial_rotary_factor": part}
    if family == "granite":
        settings |= {
            name: draw.uniform(0.3, 3)
            for name in ("embedding_multiplier", "logits_scaling", "residual_multiplier", "attention_multiplier")
        }
    if family == "gpt_neox":
        for key in ("num_key_value_heads", "rms_norm_eps"):
            del settings[key]
        settings |= {
            "layer_norm_eps": eps, "use_parallel_residual": draw.random() < 0.5, "attention_bias": draw.random() < 0.5,
            "rope_parameters": draw_rope(draw, head_dim, ["default"]) | {"partial_rotary_factor": draw.choice([0.25, 0.5, 1.0])},
        }  # fmt: skip
    return settings


@torch.no_grad()
def expected(model, tokenizer, texts):
    """The mean loss of all target tokens, evaluated row by row."""
    total, count = 0.0, 0
    for text in texts:
        ids = tokenizer(text, return_tensors="pt").input_ids
        logits = model(ids).logits[0, :-1]
        total += cross_entropy(logits.double(), ids[0, 1:], reduction="sum").item()
        count += ids.shape[1] - 1
    return total / count


def measured(command, directory, data, adapter):
    arguments = [*command, "eval", "--model", directory, "--data", data, "--dtype", "fp32", "--threads", "1", "--json"]
    if adapter:
        arguments += ["--adapter", adapter]
    done = subprocess.run([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        return float("nan"), done.stderr
    return json.loads(done.stdout)["metrics"]["loss"], ""


def compare(command, directory, draw, seed):
    settings = draw_settings(draw)
    model = family_models.build(dict(settings, vocab_size=tiny_models.VOCABULARY), seed)
    tokenizer = tiny_models.tokenizer()
    model.save_pretrained(directory / "model")
    tokenizer.save_pretrained(directory / "model")
    # LongRoPE goes by the width of a padded batch, so it gets one row.
    count = 1 if settings.get("rope_parameters", {}).get("rope_type") == "longrope" else 3
    texts = ["".join(chr(draw.randint(97, 122)) for _ in range(draw.randint(8, 60))) for _ in range(count)]
    data = directory / "rows.jsonl"
    data.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    failed = 0
    plain = expected(model, tokenizer, texts)
    conv1d = settings["model_type"] == "gpt2"
    config = LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=3, target_modules="all-linear", fan_in_fan_out=conv1d)
    adapted = get_peft_model(model, config)
    randomise(adapted, seed)
    adapted.save_pretrained(directory / "adapter")
    for adapter, loss in ((None, plain), (directory / "adapter", expected(adapted.eval(), tokenizer, texts))):
        ours, error = measured(command, directory / "model", data, adapter)
        deviation = abs(ours - loss) / loss
        good = deviation <= LIMIT
        failed += not good
        what = settings["model_type"] + (" with an adapter" if adapter else "")
        print(f"{'ok  ' if good else 'FAIL'} {what}: {deviation:.1e}" + ("" if good else f" {settings} {error}"), flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--panatune", default=str(PANATUNE))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    failed, seed, end = 0, arguments.seed, time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory() as directory:
            failed += compare([arguments.panatune], pathlib.Path(directory), random.Random(seed), seed)
        seed += 1
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
