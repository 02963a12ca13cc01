"""Makes src/test/resources/full: python make_full_fixtures.py ../resources/full ../resources/methods

Full fine-tuning of some parameters by torch 2.13.0 and transformers 5.23.0: the bases and the rows are those of
make_method_fixtures.py. A case's name.safetensors holds what is trained (requires_grad) after ten steps; cases.json its
base, the patterns that Panatune is given for it, and the losses. Here the choice is spelled out, not made by patterns.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

import make_method_fixtures

CASES = {
    "everything": ("gpt2", [], [], lambda name: True),
    "biases": ("gpt2", ["bias"], [], lambda name: name.endswith(".bias")),
    "tied_head": ("gpt2", ["lm_head"], [], lambda name: name == "transformer.wte.weight"),
    "last_layer": (
        "llama",
        [r"layers\.1", "model.norm", "lm_head"],
        ["o_proj", r"layers.\d.mlp.(up|gate)_proj.bias"],
        lambda name: name.startswith(("model.layers.1.", "model.norm.", "lm_head."))
        and ".o_proj." not in name
        and not name.endswith(("up_proj.bias", "gate_proj.bias")),
    ),
    "but_embeddings": ("llama", [], ["embed_tokens"], lambda name: name != "model.embed_tokens.weight"),
}


def main(out, methods):
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    cases = {}
    for name, (base, train, freeze, chosen) in CASES.items():
        model = AutoModelForCausalLM.from_pretrained(methods / base, dtype=torch.float32)
        for key, parameter in model.named_parameters():
            parameter.requires_grad_(chosen(key))
        losses = make_method_fixtures.train(model)
        trained = {key: p.detach().clone() for key, p in model.named_parameters() if p.requires_grad}
        save_file(trained, out / f"{name}.safetensors")
        cases[name] = {"base": base, "train": train, "freeze": freeze, "losses": losses}
        print(f"{name}: {len(trained)} tensors, losses {losses[0]:.4f} .. {losses[-1]:.4f}", flush=True)
    (out / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main(*(pathlib.Path(argument).resolve() for argument in sys.argv[1:]))
