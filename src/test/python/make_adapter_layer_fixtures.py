"""Makes src/test/resources/adapter_layers: python make_adapter_layer_fixtures.py ../resources/adapter_layers [NAME ...]

Bottleneck adapters of AdapterHub's `adapters` 1.2.0, which needs an environment of its own: torch 2.13.0, transformers
4.51.3 and safetensors 0.8.0. Seeded, on one thread; on another CPU the last bits may differ. A case is laid out as in
make_method_fixtures.py. The folder "adapter" has adapter_config.json and the weights as adapter.safetensors, or, where
that cannot be (a norm before has two names) or is not asked for, as pytorch_adapter.bin.

On Llama and Mistral `adapters` 1.2 has a bug of its own: its attention swaps heads and positions of a result in which
transformers has swapped them already, so that even without an adapter the logits are not transformers'. Here the swap is
undone first (see `attention`), and every base is checked to compute what it does without `adapters`. With one head
there is nothing to swap: the bases "..._one_head" are run by `adapters` as it is.
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
from adapters.models.llama import modeling_llama as llama_modeling
from adapters.models.mistral import modeling_mistral as mistral_modeling
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, MistralForCausalLM

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
    "llama_seq": ("llama", SeqBnConfig(reduction_factor=4)),
    "llama_double": ("llama", DoubleSeqBnConfig(reduction_factor=8)),
    "llama_par": ("llama", ParBnConfig(reduction_factor=2)),
    "llama_residuals": (
        "llama",
        DoubleSeqBnConfig(
            reduction_factor={"1": 2, "default": 8},
            ln_before=True,
            ln_after=True,
            residual_before_ln=False,
            adapter_residual_before_ln=True,
            original_ln_before=True,
            scaling="channel",
        ),
    ),
    "mistral_seq": ("mistral", SeqBnConfig(reduction_factor=4, non_linearity="gelu", ln_after=True)),
    "mistral_double": ("mistral", DoubleSeqBnConfig(reduction_factor=8, original_ln_after=False)),
    "mistral_par": ("mistral", ParBnConfig(reduction_factor=2, mh_adapter=True, scaling="learned")),
    "one_head": ("llama_one_head", DoubleSeqBnConfig(reduction_factor=4)),
    "one_head_window": ("mistral_one_head", ParBnConfig(reduction_factor=4, mh_adapter=True)),
}
ARCHIVES = {"seq_bn_norms", "gpt2_double", "llama_residuals"}


def decoder(heads):
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": heads,
        "num_key_value_heads": max(1, heads // 2),
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-3,
        "rope_theta": 500.0,
        "initializer_range": 0.2,
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 3,
    }


def bases(out):
    """The windows are shorter than the rows."""
    tiny_models.random_model(tiny_models.gpt2_config(VOCABULARY), 0).save_pretrained(out / "gpt2")
    for seed, (ending, heads) in enumerate({"": 4, "_one_head": 1}.items()):
        llama = LlamaConfig(**decoder(heads), attention_bias=True, mlp_bias=True)
        tiny_models.random_model(llama, 10 + seed).save_pretrained(out / f"llama{ending}")
        mistral = MistralConfig(**decoder(heads), sliding_window=4)
        tiny_models.random_model(mistral, 20 + seed, MistralForCausalLM).save_pretrained(out / f"mistral{ending}")


def attention(of_transformers):
    """Gives a result of several heads as the attention of `adapters` takes it: [B, heads, T, width]."""

    def forward(module, *tensors, **options):
        result, weights = of_transformers(module, *tensors, **options)
        return (result.transpose(1, 2) if module.config.num_attention_heads > 1 else result), weights

    return forward


for modeling in (llama_modeling, mistral_modeling):
    modeling.eager_attention_forward = attention(modeling.eager_attention_forward)


def load(out, base):
    """A base that can take adapters, and computes what it did before it could."""
    model = AutoModelForCausalLM.from_pretrained(out / base, torch_dtype=torch.float32, attn_implementation="eager")
    before = logits(model.eval())
    adapters.init(model)
    assert torch.equal(logits(model.eval()), before), f"adapters changes {base}"
    return model


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

    model = load(base.parent, base.name)
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
