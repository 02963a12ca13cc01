"""Makes src/test/resources/bf16: python make_bf16_fixtures.py [NAME ...]

What PEFT 0.21.2 computes with the adapters of src/test/resources/lora and methods on bases in bf16, and on 4-bit bases
that compute in it. Needs torch 2.13.0, transformers 5.23.0, peft 0.21.2, bitsandbytes 0.50.2 and safetensors 0.8.0;
make_lora_fixtures.py and make_method_fixtures.py go before. Seeded, on one thread; on another CPU the last bits may differ.

A case of cases.json says whose base and adapter it takes, and has the file NAME/golden.safetensors:
  logits, exact      in bf16, and from the same weights in fp32 (methods other than LoRA, whose logits are in its folder)
  merged             after merge_and_unload, in bf16 (IA3)
  after.KEY          what is trained, after ten steps in fp32
`exact` are the losses of these ten steps. Of ten steps in bf16, `plain` as the base's type has it and `autocast` as the
Trainer's `bf16: true` does it, there are the losses and the `distance` of what is trained from after.KEY, the median over all numbers.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import PeftConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import adapter_cases
import make_lora_fixtures
import make_method_fixtures
import tiny_models

RESOURCES = pathlib.Path(__file__).resolve().parents[1] / "resources"
OUT = RESOURCES / "bf16"
NF4 = ("nf4", True)

# name: the adapter's folder, the base beside it, how it is quantised
CASES = {
    "ia3": ("methods/ia3_default", "llama", None),
    "ia3_regex": ("methods/ia3_regex", "llama", None),
    "ia3_modules_to_save": ("methods/ia3_modules_to_save", "llama", None),
    "ia3_gpt2": ("methods/ia3_gpt2", "gpt2", None),
    "ia3_nf4": ("methods/ia3_nf4", "llama", NF4),
    "prompt": ("methods/prompt_random", "llama", None),
    "prompt_gpt2": ("methods/prompt_gpt2", "gpt2", None),
    "prompt_nf4": ("methods/prompt_nf4", "llama", NF4),
    "prefix": ("methods/prefix", "llama", None),
    "prefix_projected": ("methods/prefix_projected", "llama", None),
    "prefix_gpt2": ("methods/prefix_gpt2", "gpt2", None),
    "prefix_nf4": ("methods/prefix_nf4", "llama", NF4),
} | {
    f"lora_{name}": (f"lora/{name}", case.get("base", "untied"), case.get("quant"))
    for name, case in make_lora_fixtures.CASES.items()
    if case.get("compute") == "bfloat16"
}  # fmt: skip
VIRTUAL = ("prompt", "prefix")
# PEFT's IA3 gives float32 out of 4-bit layers that compute in bf16, and attention fails; under autocast it does not.
AUTOCAST_ONLY = ("ia3_nf4",)


def autocast(enabled=True):
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled)


def load(folder, base, quant, exact):
    """The base in bf16; exact: the same weights, computed with in fp32."""
    options = tiny_models.quantization(*quant, torch.bfloat16) if quant else {}
    model = AutoModelForCausalLM.from_pretrained(folder.parent / base, dtype=torch.bfloat16, **options).eval()
    if exact:
        # transformers refuses its own float() where the weights are in 4 bits.
        torch.nn.Module.float(model)
        for module in model.modules():
            if hasattr(module, "compute_dtype"):
                module.compute_dtype = torch.float32
                module.compute_type_is_set = True
    return model


def trainable(name, folder, base, quant, exact):
    """The adapter, to be trained on; of virtual tokens PEFT does not train what it loads."""
    adapter = folder / "adapter"
    model = load(folder, base, quant, exact)
    if not name.startswith(VIRTUAL):
        return PeftModel.from_pretrained(model, adapter, is_trainable=True)
    config = PeftConfig.from_pretrained(adapter)
    config.inference_mode = False
    model = get_peft_model(model, config)
    state = adapter / "prompt_encoder.safetensors"
    if state.exists():
        values = load_file(state)
    else:
        values = {"prompt_encoder.embedding.weight": load_file(adapter / "adapter_model.safetensors")["prompt_embeddings"]}
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(values.pop(key.replace(".default", "")))
    assert not values, values.keys()
    return model


def trained(model):
    """By the names that PEFT's files have, where they differ from the modules'."""
    return {
        key.replace(".default", "").replace("magnitude_vector.weight", "magnitude_vector"): parameter.detach().float()
        for key, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def train(arguments, rows, loss, exact=False, cast=False):
    model = trainable(*arguments, exact)

    def within(*batch):
        # Left after each pass: what autocast has cast it keeps, and the weights change.
        with autocast(cast):
            return loss(*batch)

    return adapter_cases.train(model, rows, within), trained(model)


def distance(found, expected):
    """The median of all numbers: AdamW moves those whose gradient is next to nothing either way, by a whole step."""
    differences = torch.cat([(found[key] - value).abs().reshape(-1) for key, value in expected.items()])
    return differences.sort().values[len(differences) // 2].item()


def case(name, path, base, quant):
    folder = RESOURCES / path
    lora = name.startswith("lora_")
    rows = adapter_cases.batches(make_lora_fixtures.VOCABULARY, 1) if lora else make_method_fixtures.batches()
    loss = make_lora_fixtures.loss if lora else adapter_cases.own_loss
    golden = {}
    if not lora:
        for key, exact in (("logits", False), ("exact", True)):
            model = PeftModel.from_pretrained(load(folder, base, quant, exact), folder / "adapter").eval()
            with autocast(not exact and name in AUTOCAST_ONLY):
                golden[key] = make_method_fixtures.logits(model)
            if name.startswith("ia3") and not quant and not exact:
                golden["merged"] = make_method_fixtures.logits(model.merge_and_unload().eval())
    arguments = (name, folder, base, quant)
    exact, after = train(arguments, rows, loss, exact=True)
    golden |= {f"after.{key}": value.contiguous().clone() for key, value in after.items()}
    (OUT / name).mkdir(exist_ok=True)
    save_file(golden, OUT / name / "golden.safetensors")
    entry = {"base": f"{folder.parent.name}/{base}", "adapter": f"{path}/adapter", "quant": quant, "exact": exact}
    for mode in ("plain", "autocast"):
        if mode == "plain" and name in AUTOCAST_ONLY:
            continue
        losses, found = train(arguments, rows, loss, cast=mode == "autocast")
        entry[mode] = {"losses": losses, "distance": distance(found, after)}
        off = max(abs(a - b) for a, b in zip(losses, exact))
        print(f"{name}, {mode}: losses off by {off:.1e}, weights by {entry[mode]['distance']:.1e}", flush=True)
    return entry


def main(names):
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    index = OUT / "cases.json"
    entries = json.loads(index.read_text()) if names else {}
    for name, settings in CASES.items():
        if not names or name in names:
            entries[name] = case(name, *settings)
    adapter_cases.write_json(index, {name: entries[name] for name in CASES if name in entries})


if __name__ == "__main__":
    main(sys.argv[1:])
