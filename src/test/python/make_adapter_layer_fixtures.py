"""Makes src/test/resources/adapter_layers: python make_adapter_layer_fixtures.py ../resources/adapter_layers [NAME ...]

Bottleneck adapters of AdapterHub's `adapters` 1.2.0, which needs an environment of its own: torch 2.13.0, transformers
4.51.3 and safetensors 0.8.0. Seeded, on one thread; on another CPU the last bits may differ. A case is laid out as in
make_method_fixtures.py, on GPT-2: with this torch, `adapters` computes other logits for Llama than transformers does,
even with no adapter in the model, so there is nothing to compare that with; Mistral's were not looked into. The folder
"adapter" has adapter_config.json and the weights as adapter.safetensors, or, where that cannot be (a norm before has
two names) or is not asked for, as pytorch_adapter.bin.
"""

import functools
import json
import os
import pathlib
import shutil
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import adapters
import torch
from adapters import BnConfig, DoubleSeqBnConfig, ParBnConfig, SeqBnConfig
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

import adapter_cases
import tiny_models

VOCABULARY = 96
NAME = "bn"

CASES = {
    "seq_bn": ("gpt2", SeqBnConfig(reduction_factor=4)),
    "double_seq_bn": ("gpt2", DoubleSeqBnConfig(reduction_factor=8)),
    "par_bn": ("gpt2", ParBnConfig(reduction_factor=2)),
    "seq_bn_norms": (
        "gpt2",
        SeqBnConfig(reduction_factor=4, ln_before=True, ln_after=True, scaling="learned", mh_adapter=True),
    ),
    "seq_bn_residuals": (
        "gpt2",
        SeqBnConfig(
            reduction_factor={"0": 4, "default": 2.5},
            non_linearity="tanh",
            residual_before_ln=False,
            adapter_residual_before_ln=True,
            ln_after=True,
            scaling="channel",
            original_ln_after=False,
        ),
    ),
    "attention_only": (
        "gpt2",
        BnConfig(
            mh_adapter=True,
            output_adapter=False,
            reduction_factor=4,
            non_linearity="leakyrelu",
            leave_out=[0],
            scaling=0.7,
            init_weights="houlsby",
        ),
    ),
    "par_bn_norm": ("gpt2", ParBnConfig(mh_adapter=True, ln_after=True, non_linearity="gelu", scaling="channel")),
    "sigmoid": ("gpt2", DoubleSeqBnConfig(reduction_factor=4, non_linearity="sigmoid")),
    "gpt2_seq": ("gpt2", SeqBnConfig(reduction_factor=4, non_linearity="gelu_new")),
    "gpt2_double": ("gpt2", DoubleSeqBnConfig(reduction_factor=4, original_ln_before=True)),
    "gpt2_par": ("gpt2", ParBnConfig(reduction_factor=4, mh_adapter=True)),
}
ARCHIVES = {"seq_bn_norms", "gpt2_double"}


def bases(out):
    tiny_models.random_model(tiny_models.gpt2_config(VOCABULARY), 0).save_pretrained(out / "gpt2")


def load(out, base):
    model = AutoModelForCausalLM.from_pretrained(out / base, torch_dtype=torch.float32, attn_implementation="eager")
    adapters.init(model)
    return model.eval()


def batches():
    return adapter_cases.batches(VOCABULARY, 0)


def probe():
    return torch.randint(4, VOCABULARY, (2, 10), generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def logits(model):
    return model(probe()).logits.float().contiguous()


def case(out, name, options, seed):
    base, config = options
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    without = logits(load(out, base))
    torch.manual_seed(seed)
    model = load(out, base)
    model.add_adapter(NAME, config=config)
    model.train_adapter(NAME)
    tiny_models.randomise_adapter(model, seed)
    folder.mkdir(parents=True)
    model.save_adapter(str(folder / "adapter"), NAME, with_head=False, use_safetensors=name not in ARCHIVES)
    path = folder / "adapter" / "adapter_config.json"
    settings = {**json.loads(path.read_text()), "model_name": ""}
    path.write_text(json.dumps(settings, indent=2, sort_keys=True))
    golden = {"logits": logits(model.eval())}
    moved = adapter_cases.moved(golden["logits"], without, name)
    losses = adapter_cases.train(model, batches())
    trained = {f"after.{key}": p.detach().clone() for key, p in model.named_parameters() if p.requires_grad}
    save_file({**golden, **trained}, folder / "golden.safetensors")
    print(f"{name}: moves {moved:.3f}, losses {losses[0]:.4f} .. {losses[-1]:.4f}", flush=True)
    return {"base": base, "losses": losses}


def check(base, adapter):
    """What was saved here loads there: prints the logits' largest difference from a golden file."""
    from safetensors.torch import load_file

    model = AutoModelForCausalLM.from_pretrained(base, torch_dtype=torch.float32, attn_implementation="eager")
    adapters.init(model)
    name = model.load_adapter(str(adapter), use_safetensors=True, with_head=False)
    model.set_active_adapters(name)
    golden = load_file(adapter.parent / "golden.safetensors")["logits"]
    print((logits(model.eval()) - golden).abs().max().item() / golden.abs().max().item())


def main(out, names):
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    if not names:
        bases(out)
        adapter_cases.write_run(out, probe(), batches())
    adapter_cases.make(out, names, CASES, functools.partial(case, out), 300)


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
    else:
        main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:])
