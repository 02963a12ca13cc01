"""Makes src/test/resources/methods: python make_method_fixtures.py ../resources/methods [NAME ...]

The methods of PEFT 0.21.2 other than LoRA, on a tiny base: what PEFT saves, and what it computes with that. Needs torch
2.13.0, transformers 5.23.0, peft 0.21.2, bitsandbytes 0.50.2 and safetensors 0.8.0. Seeded, on one thread; on another CPU
the last bits may differ. With names, only those cases are made again.

A case NAME has the folder NAME/adapter (PEFT's two files) and NAME/golden.safetensors:
  logits          with the adapter, on the rows "probe" of run.json, [B, T, V]
  merged          after merge_and_unload, where the method has that
  unmerged        after merge_adapter and unmerge_adapter, with the adapter disabled
  after.KEY       the trained tensors after ten steps, under the model's names
and its entry in cases.json: base, quantisation, and the losses of those ten steps.
"""

import json
import os
import pathlib
import shutil
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import IA3Config, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig

import tiny_models

STEPS = 10
LEARNING_RATE = 5e-3
CONFIGS = {"ia3": IA3Config}

CASES = {
    "ia3_default": {"method": "ia3"},
    "ia3_regex": {
        "method": "ia3",
        "target_modules": r".*\.(q_proj|o_proj|up_proj|gate_proj)",
        "feedforward_modules": r".*(o_proj|layers\.1\.mlp\.up_proj)",
        "exclude_modules": ["layers.0.self_attn.q_proj"],
        "init_ia3_weights": False,
    },
    "ia3_modules_to_save": {
        "method": "ia3",
        "target_modules": ["k_proj", "down_proj"],
        "feedforward_modules": [],
        "modules_to_save": ["lm_head"],
    },
    "ia3_nf4": {"method": "ia3", "quant": ("nf4", True), "merged": False},
}
OWN_KEYS = ("method", "quant", "merged")


def llama():
    """Grouped-query attention, biases, heads that are wider than hidden / heads."""
    return LlamaConfig(
        vocab_size=tiny_models.VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=64,
        rms_norm_eps=1e-3,
        attention_bias=True,
        mlp_bias=True,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        initializer_range=0.2,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=3,
    )


def load(out, case):
    options = {}
    if "quant" in case:
        kind, nested = case["quant"]
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=kind,
            bnb_4bit_use_double_quant=nested,
            bnb_4bit_compute_dtype=torch.float32,
        )
        options["device_map"] = "cpu"
    return AutoModelForCausalLM.from_pretrained(out / "llama", dtype=torch.float32, **options).eval()


def batches(seed, steps, rows=2):
    """Right-padded rows of differing lengths; the first tokens of most rows and the padding are no targets."""
    generator = torch.Generator().manual_seed(seed)
    result = []
    for _ in range(steps):
        lengths = torch.randint(6, 13, (rows,), generator=generator).tolist()
        ids = torch.full((rows, max(lengths)), 3)
        labels = torch.full_like(ids, -100)
        for row, length in enumerate(lengths):
            tokens = torch.randint(4, tiny_models.VOCABULARY, (length,), generator=generator)
            prompt = int(torch.randint(0, 4, (1,), generator=generator))
            ids[row, :length] = tokens
            labels[row, prompt:length] = tokens[prompt:]
        result.append((ids, labels))
    return result


def probe():
    return tiny_models.token_rows(2, 10, 5)


@torch.no_grad()
def logits(model):
    return model(probe()).logits.float().contiguous()


def config(case):
    options = {key: value for key, value in case.items() if key not in OWN_KEYS}
    return CONFIGS[case["method"]](task_type="CAUSAL_LM", **options)


def tidy(directory):
    """Sets have no order, and the folder has another name elsewhere."""
    (directory / "README.md").unlink(missing_ok=True)
    path = directory / "adapter_config.json"
    settings = json.loads(path.read_text())
    settings["base_model_name_or_path"] = "llama"
    for key in ("target_modules", "exclude_modules", "feedforward_modules"):
        if isinstance(settings.get(key), list):
            settings[key].sort()
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")


def train(model):
    """Ten steps of AdamW; the loss is PEFT's own, the mean over a step's targets."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    losses = []
    model.train()
    for ids, labels in batches(7, STEPS):
        mask = (ids != 3).long()
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return losses


def case(out, name, options, seed):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    base = logits(load(out, options))
    torch.manual_seed(seed)
    model = get_peft_model(load(out, options), config(options))
    tiny_models.randomise_adapter(model, seed)
    model.save_pretrained(folder / "adapter")
    tidy(folder / "adapter")
    model = PeftModel.from_pretrained(load(out, options), folder / "adapter").eval()
    golden = {"logits": logits(model)}
    moved = ((golden["logits"][:, -10:] - base).abs().max() / base.abs().max()).item()
    assert moved > 0.01, f"{name} moves the logits by {moved} only"
    if options.get("merged", True):
        model.merge_adapter()
        model.unmerge_adapter()
        with model.disable_adapter():
            golden["unmerged"] = logits(model)
        golden["merged"] = logits(model.merge_and_unload().eval())
    model = PeftModel.from_pretrained(load(out, options), folder / "adapter", is_trainable=True)
    losses = train(model)
    trained = {key: p.detach() for key, p in model.named_parameters() if p.requires_grad}
    golden.update({f"after.{key.replace('.default', '')}": value.clone() for key, value in trained.items()})
    save_file(golden, folder / "golden.safetensors")
    print(f"{name}: moves {moved:.3f}, losses {losses[0]:.4f} .. {losses[-1]:.4f}", flush=True)
    return {**({"quant": options["quant"]} if "quant" in options else {}), "losses": losses}


def write_json(path, value):
    """One line an entry."""
    lines = [f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main(out, names):
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    if not names:
        tiny_models.save(tiny_models.random_model(llama(), 1), out / "llama", torch.float32)
        write_json(
            out / "run.json",
            {
                "learning_rate": LEARNING_RATE,
                "probe": probe().tolist(),
                "batches": [{"input_ids": i.tolist(), "labels": l.tolist()} for i, l in batches(7, STEPS)],
            },
        )
    index = out / "cases.json"
    entries = json.loads(index.read_text()) if names else {}
    for seed, (name, options) in enumerate(CASES.items()):
        if not names or name in names:
            entries[name] = case(out, name, options, 200 + seed)
    write_json(index, {name: entries[name] for name in CASES if name in entries})


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:])
