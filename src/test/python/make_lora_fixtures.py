"""Makes src/test/resources/lora: python make_lora_fixtures.py ../resources/lora [NAME ...]

Every LoRA option of PEFT 0.21.2 that is supported, on tiny bases: what PEFT saves, and what it computes with that. Needs
torch 2.13.0, transformers 5.23.0, peft 0.21.2, bitsandbytes 0.50.2 and safetensors 0.8.0. Seeded, on one thread; on
another CPU the last bits may differ. With names, only those cases are made again.

A case NAME has the folder NAME/adapter (PEFT's two files) and NAME/golden.safetensors:
  logits          with the adapter, on the rows of run.json's first batch ("probe"), [B, T, V]
  exact           the same in fp32, where the case computes in a coarser type
  merged          after merge_and_unload (on a 4-bit base: quantised again), where PEFT's merge is right
  after.KEY       the adapter's tensors after ten steps, under the file's keys
and its entry in cases.json: base, quantisation, compute dtype, and the losses of those ten steps.
"""

import functools
import os
import pathlib
import shutil
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, LlamaConfig

import adapter_cases
import tiny_models

VOCABULARY = 96

ATTENTION = ["q_proj", "v_proj"]
MIXED = ["q_proj", "v_proj", "down_proj"]

CASES = {
    "plain": {"target_modules": MIXED, "lora_alpha": 6},
    "rslora": {"target_modules": ATTENTION, "use_rslora": True},
    "rank_pattern": {
        "target_modules": MIXED,
        "rank_pattern": {"layers.1.self_attn.q_proj": 2, r".*\.0\..*_proj": 3, "v_proj": 5, "proj": 9},
        "alpha_pattern": {"down_proj": 9, "^model.layers.0.self_attn.v_proj": 2},
    },
    "rank_pattern_rslora": {
        "target_modules": ATTENTION,
        "use_rslora": True,
        "rank_pattern": {"v_proj": 6},
        "alpha_pattern": {"q_proj": 3},
    },
    "bias_all": {"target_modules": ATTENTION, "bias": "all"},
    "bias_lora_only": {"target_modules": ATTENTION, "bias": "lora_only"},
    "lora_bias": {"target_modules": MIXED, "lora_bias": True, "lora_alpha": 6},
    "modules_to_save": {"target_modules": ATTENTION, "modules_to_save": ["lm_head", "norm", "layers.0.mlp"]},
    "layers_to_transform": {"target_modules": MIXED, "layers_to_transform": [1]},
    "layers_pattern": {
        "target_modules": ["q_proj", "model.layers.0.mlp.up_proj"],
        "layers_to_transform": 1,
        "layers_pattern": ["blocks", "layers"],
    },
    "exclude_names": {"target_modules": MIXED, "exclude_modules": ["v_proj", "layers.0.mlp.down_proj"]},
    "exclude_regex": {"target_modules": "all-linear", "exclude_modules": r".*(mlp|\.1\.).*"},
    "target_regex": {"target_modules": r"model\.layers\.\d\.(self_attn\.[ko]_proj|mlp\.gate_proj)"},
    "dora": {"target_modules": "all-linear", "use_dora": True, "r": 2},
    "dora_rslora": {"target_modules": MIXED, "use_dora": True, "use_rslora": True, "bias": "lora_only"},
    "head": {"target_modules": ["lm_head", "q_proj"]},
    "embedding": {"target_modules": ["embed_tokens", "q_proj"]},
    "embedding_dora": {"target_modules": ["embed_tokens", "v_proj"], "use_dora": True, "use_rslora": True},
    "embedding_tied": {"base": "tied", "target_modules": ["embed_tokens", "q_proj"], "merged": False},
    "tokens": {"target_modules": ATTENTION, "trainable_token_indices": [5, 17, 90]},
    "tokens_named": {
        "target_modules": ATTENTION,
        "trainable_token_indices": {"embed_tokens": [3, 9], "lm_head": [4, 9, 50]},
    },
    "tokens_tied": {"base": "tied", "target_modules": ATTENTION, "trainable_token_indices": [5, 17, 90]},
    "tied_default": {"base": "tied", "target_modules": None},
    "pissa": {"target_modules": MIXED, "init_lora_weights": "pissa", "lora_alpha": 6},
    "olora": {"target_modules": MIXED, "init_lora_weights": "olora", "lora_alpha": 6},
    "orthogonal": {"target_modules": ATTENTION, "init_lora_weights": "orthogonal"},
    "conv1d": {"base": "gpt2", "target_modules": ["c_attn", "c_fc", "mlp.c_proj"], "fan_in_fan_out": True},
    "conv1d_dora": {"base": "gpt2", "target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True, "use_dora": True},
    "conv1d_default": {"base": "gpt2", "target_modules": None, "use_rslora": True},
    "conv1d_pissa": {"base": "gpt2", "target_modules": ["c_fc"], "fan_in_fan_out": True, "init_lora_weights": "pissa"},
    "nf4_nested": {"quant": ("nf4", True), "target_modules": "all-linear", "r": 2},
    "nf4_flat": {"quant": ("nf4", False), "target_modules": MIXED, "use_rslora": True},
    "fp4_nested": {"quant": ("fp4", True), "target_modules": MIXED},
    "fp4_flat": {"quant": ("fp4", False), "target_modules": MIXED, "rank_pattern": {"q_proj": 2}},
    "nf4_bf16": {"quant": ("nf4", True), "compute": "bfloat16", "target_modules": MIXED},
    "nf4_skip": {"quant": ("nf4", True), "skip": ["o_proj", "model.layers.1", "lm_head"], "target_modules": "all-linear", "r": 2},
    "nf4_dora": {"quant": ("nf4", True), "target_modules": MIXED, "use_dora": True},
    "nf4_bias": {"quant": ("nf4", True), "target_modules": MIXED, "bias": "all", "modules_to_save": ["lm_head", "embed_tokens"]},
    "nf4_olora": {"quant": ("nf4", True), "target_modules": MIXED, "init_lora_weights": "olora"},
    "fp4_tokens": {"quant": ("fp4", False), "target_modules": ["embed_tokens", "q_proj"], "lora_alpha": 6},
    "head_tied_saved": {"base": "tied", "target_modules": ATTENTION, "modules_to_save": ["lm_head"]},
    "embedding_tied_saved": {"base": "tied", "target_modules": ATTENTION, "modules_to_save": ["embed_tokens"]},
    "conv1d_embedding": {"base": "gpt2", "target_modules": ["wte", "c_attn"], "merged": False},
    "conv1d_head": {"base": "gpt2", "target_modules": ["wte", "lm_head", "c_fc"], "merged": False},
    "bf16": {"compute": "bfloat16", "target_modules": "all-linear", "lora_alpha": 6, "use_rslora": True},
    "bf16_bias": {"compute": "bfloat16", "target_modules": MIXED, "bias": "all", "modules_to_save": ["lm_head", "norm"]},
    "bf16_lora_bias": {"compute": "bfloat16", "target_modules": MIXED, "lora_bias": True},
    "bf16_dora": {"compute": "bfloat16", "target_modules": MIXED, "use_dora": True},
    "bf16_embedding": {"compute": "bfloat16", "target_modules": ["embed_tokens", "q_proj"]},
    "bf16_tokens": {"compute": "bfloat16", "target_modules": ATTENTION, "trainable_token_indices": [5, 17, 90]},
    "bf16_conv1d": {"base": "gpt2", "compute": "bfloat16", "target_modules": None},
    "fp4_bf16": {"quant": ("fp4", False), "compute": "bfloat16", "target_modules": MIXED, "rank_pattern": {"q_proj": 2}},
    "nf4_bf16_dora": {"quant": ("nf4", True), "compute": "bfloat16", "target_modules": MIXED, "use_dora": True},
    "modules_by_row": {"target_modules": ATTENTION, "modules_to_save": ["lm_head", "embed_tokens"]},
    "modules_by_row_second": {"target_modules": MIXED, "modules_to_save": ["lm_head", "embed_tokens"]},
}


def llama(tied):
    """Grouped-query attention and biases; tied and untied."""
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        attention_bias=True,
        mlp_bias=True,
        initializer_range=0.2,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=3,
    )


def bases(out):
    tiny_models.random_model(llama(False), 1).save_pretrained(out / "untied")
    tiny_models.random_model(llama(True), 2).save_pretrained(out / "tied")
    tiny_models.random_model(tiny_models.gpt2_config(VOCABULARY), 3).save_pretrained(out / "gpt2")


def load(out, case):
    dtype = getattr(torch, case.get("compute", "float32"))
    options = tiny_models.quantization(*case["quant"], dtype, case.get("skip")) if "quant" in case else {}
    return AutoModelForCausalLM.from_pretrained(out / case.get("base", "untied"), dtype=dtype, **options).eval()


def probe():
    """Rows that show every trained token."""
    return torch.tensor([[5, 17, 90, 3, 9, 4, 50, 23], [61, 5, 5, 70, 31, 90, 12, 80]])


@torch.no_grad()
def logits(model, **options):
    return model(probe(), **options).logits.float().contiguous()


def exact(model):
    """The logits of a model that computes in a coarser type, computed in fp32 from the same weights."""
    model.float()
    for module in model.modules():
        if hasattr(module, "compute_dtype"):
            module.compute_dtype = torch.float32
            module.compute_type_is_set = True
    return logits(model)


def config(case):
    keys = ("base", "quant", "compute", "skip", "merged")
    options = {"r": 4, "lora_alpha": 8, "task_type": "CAUSAL_LM"}
    options.update({key: value for key, value in case.items() if key not in keys})
    return LoraConfig(**options)


def loss(model, ids, labels):
    values = model(ids).logits.float()
    return cross_entropy(values[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


def case(out, name, options, seed):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    base = logits(load(out, options))
    torch.manual_seed(seed)
    model = get_peft_model(load(out, options), config(options))
    tiny_models.randomise_adapter(model, seed)
    model.save_pretrained(folder / "adapter")
    adapter_cases.tidy(folder / "adapter", options.get("base", "untied"))
    model = PeftModel.from_pretrained(load(out, options), folder / "adapter").eval()
    golden = {"logits": logits(model)}
    moved = adapter_cases.moved(golden["logits"], base, name)
    if "compute" in options:
        golden["exact"] = exact(PeftModel.from_pretrained(load(out, options), folder / "adapter").eval())
    if options.get("merged", True) and "compute" not in options:
        golden["merged"] = logits(model.merge_and_unload().eval())
    model = PeftModel.from_pretrained(load(out, options), folder / "adapter", is_trainable=True)
    losses = adapter_cases.train(model, adapter_cases.batches(VOCABULARY, 1), loss)
    state = get_peft_model_state_dict(model)
    trained = {key for key, p in model.named_parameters() if p.requires_grad}
    assert len(trained) > 0
    golden.update({f"after.{key}": value.contiguous().clone() for key, value in state.items()})
    save_file(golden, folder / "golden.safetensors")
    print(f"{name}: moves {moved:.3f}, losses {losses[0]:.4f} .. {losses[-1]:.4f}", flush=True)
    entry = {"base": options.get("base", "untied"), "losses": losses}
    for key in ("quant", "compute", "skip"):
        if key in options:
            entry[key] = options[key]
    return entry


def main(out, names):
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    if not names:
        bases(out)
        adapter_cases.write_run(out, probe(), adapter_cases.batches(VOCABULARY, 1), max_grad_norm=1.0)
    adapter_cases.make(out, names, CASES, functools.partial(case, out), 100)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:])
