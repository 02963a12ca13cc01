"""Makes what PEFT computes in a step of LoRA on every family, through every kind of checkpoint:
python make_format_lora.py [FAMILY ...]

Needs torch 2.13.0, transformers 5.23.0, peft 0.21.2, bitsandbytes 0.50.2 and safetensors 0.8.0; run
make_family_fixtures.py and make_gguf_families.py before. All in fp32, on one thread. Of `ids`, a file has the
`adapter_logits`, the `adapter_loss` and the gradients of the adapter's tensors as `gradient.NAME`:

- src/test/resources/checkpoints/NAME/KIND.safetensors: of the model in src/test/resources/families kept in 4 bits (NF4
  and FP4, nested and flat) with the adapter beside it. Its metadata has `config`, the quantization_config that transformers
  saves, and for each tensor of the checkpoint that it saves the CRC-32 of its bytes as `crc32.NAME`.
- src/test/resources/gguf/NAME.lora/: of a GGUF model, with an adapter of all linear layers.

A torch.save archive has the very weights of src/test/resources/families, whose expected.safetensors serves for it.
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import zlib

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

import adapter_cases
import make_family_fixtures
import tiny_models
from make_format_families import FAMILIES, NAMES, OUT, load
from make_gguf_families import CASES as GGUF_CASES
from make_gguf_families import OUT as GGUF

KINDS = {f"{kind}_{'nested' if nested else 'flat'}": (kind, nested) for kind in ("nf4", "fp4") for nested in (True, False)}


def step(adapted, base_logits, ids, name):
    result = adapted(ids, labels=ids)
    result.loss.backward()
    logits = result.logits.detach().contiguous()
    adapter_cases.moved(logits, base_logits, name)
    expected = {"ids": ids, "adapter_logits": logits, "adapter_loss": result.loss.detach().reshape(1)}
    for key, parameter in adapted.named_parameters():
        if parameter.requires_grad:
            expected["gradient." + key.replace(".default", "")] = parameter.grad.contiguous()
    return expected


@torch.no_grad()
def logits(model, ids):
    return model(ids).logits


def checksums(folder):
    """The CRC-32 of each saved tensor's bytes."""
    tensors = load_file(folder / "model.safetensors")
    return {
        f"crc32.{name}": format(zlib.crc32(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()), "08x")
        for name, value in tensors.items()
    }


def four_bit(name, kind):
    model = load(name, **tiny_models.quantization(*KINDS[kind]))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = json.loads((pathlib.Path(folder) / "config.json").read_text())["quantization_config"]
        metadata = checksums(pathlib.Path(folder)) | {"config": json.dumps(config, sort_keys=True)}
    ids = load_file(FAMILIES / name / "expected.safetensors")["ids"]
    base = logits(model, ids)
    adapted = PeftModel.from_pretrained(model, FAMILIES / name / "adapter", is_trainable=True).eval()
    save_file(step(adapted, base, ids, name), OUT / name / f"{kind}.safetensors", metadata)


def gguf(name, seed):
    stored = load_file(GGUF / f"{name}.safetensors")
    settings = dict(GGUF_CASES[name][1])
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    weights = {key.removeprefix("model."): value for key, value in stored.items() if key.startswith("model.")}
    missing, unknown = model.load_state_dict(weights, strict=False)
    assert not unknown and set(missing) <= {"lm_head.weight"}, (missing, unknown)
    model.tie_weights()
    base = logits(model, stored["ids"])
    assert torch.equal(base, stored["logits"]), name
    folder = GGUF / f"{name}.lora"
    shutil.rmtree(folder, ignore_errors=True)
    adapted = make_family_fixtures.lora(model).eval()
    make_family_fixtures.randomise(adapted, seed)
    adapted.save_pretrained(folder / "adapter")
    adapter_cases.tidy(folder / "adapter", name)
    save_file(step(adapted, base, stored["ids"], name), folder / "expected.safetensors")


def main(names):
    torch.set_num_threads(1)
    for name in NAMES:
        if names and name not in names:
            continue
        for kind in KINDS:
            four_bit(name, kind)
        print(name, "in 4 bits", flush=True)
    for seed, name in enumerate(GGUF_CASES):
        if names and name not in names:
            continue
        gguf(name, 400 + seed)
        print(name, "as GGUF", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
