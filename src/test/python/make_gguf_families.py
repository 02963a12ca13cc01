"""Makes src/test/resources/gguf: a GGUF file of each family, and what transformers computes with the model.

Needs torch 2.13.0, transformers 5.23.0, gguf 0.19.0 and safetensors 0.8.0:

    python src/test/python/make_gguf_families.py

NAME.gguf has matrices in F16 and the rest in F32, laid out as llama.cpp's converter (convert_hf_to_gguf.py) does it;
NAME.safetensors has the Hugging Face model's tensors as `model.NAME`, and `ids` with their fp32 `logits`.
Names of tensors are those of the gguf package. Where transformers
reads the architecture, it must find the same model.
"""

import pathlib

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

import family_models
from family_models import COMMON, LONG, rope
from make_gguf_fixtures import add_tokenizer, finish, permuted

OUT = pathlib.Path(__file__).resolve().parents[1] / "resources" / "gguf"
ARCH = gguf.MODEL_ARCH
BASE = dict(COMMON, vocab_size=104, initializer_range=0.2, rms_norm_eps=1e-2, num_hidden_layers=2)
DEEP = dict(BASE, num_hidden_layers=7)


def without(settings, *keys):
    return {key: value for key, value in settings.items() if key not in keys}


# name: architecture, configuration; only what a GGUF file can say differs from the defaults
CASES = {
    "qwen2": (ARCH.QWEN2, dict(BASE, model_type="qwen2", rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16))),
    "qwen3": (ARCH.QWEN3, dict(BASE, model_type="qwen3", head_dim=8, tie_word_embeddings=True, rope_parameters=rope())),
    "smollm3": (ARCH.SMOLLM3, dict(BASE, model_type="smollm3", num_hidden_layers=5, rope_parameters=rope())),
    "gemma2": (
        ARCH.GEMMA2,
        dict(BASE, model_type="gemma2", head_dim=8, query_pre_attn_scalar=8, sliding_window=7, attn_logit_softcapping=1.5,
             final_logit_softcapping=2.0, rope_parameters=rope()),
    ),
    "gemma3": (
        ARCH.GEMMA3,
        dict(DEEP, model_type="gemma3_text", head_dim=8, query_pre_attn_scalar=8, sliding_window=7,
             rope_parameters={"full_attention": rope("linear", 1000.0, factor=2.0), "sliding_attention": rope(theta=10000.0)}),
    ),
    "phi3": (
        ARCH.PHI3,
        dict(BASE, model_type="phi3", hidden_size=32, sliding_window=20, original_max_position_embeddings=16,
             rope_parameters=rope("longrope", partial_rotary_factor=0.5, **LONG)),
    ),
    "granite": (
        ARCH.GRANITE,
        dict(BASE, model_type="granite", embedding_multiplier=3.0, logits_scaling=4.0, residual_multiplier=0.5,
             attention_multiplier=0.25, rope_parameters=rope()),
    ),
    "olmo2": (ARCH.OLMO2, dict(BASE, model_type="olmo2", rope_parameters=rope())),
    "gpt2": (
        ARCH.GPT2,
        dict(family_models.CASES["gpt2"], vocab_size=104, n_inner=64, n_layer=2, scale_attn_by_inverse_layer_idx=False),
    ),
    "gpt_neox": (
        ARCH.GPTNEOX,
        dict(without(BASE, "num_key_value_heads", "rms_norm_eps"), model_type="gpt_neox", hidden_size=32, layer_norm_eps=1e-2,
             use_parallel_residual=False, rope_parameters=rope(partial_rotary_factor=0.5)),
    ),
    "llama": (ARCH.LLAMA, dict(BASE, model_type="llama", rope_parameters=rope("linear", factor=2.0))),
}  # fmt: skip
READ_BY_TRANSFORMERS = {"llama", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "gpt2"}


def stored(name, value, config, arch):
    """The layout of llama.cpp's converter."""
    heads = config.num_attention_heads
    if arch in (ARCH.LLAMA, ARCH.GRANITE, ARCH.SMOLLM3):
        if ".q_proj." in name:
            return permuted(value, heads)
        if ".k_proj." in name:
            return permuted(value, config.num_key_value_heads)
    if arch in (ARCH.GEMMA2, ARCH.GEMMA3) and name.endswith("norm.weight"):
        return value + 1
    if arch == ARCH.GPT2 and name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
        return value.T
    if arch == ARCH.GPTNEOX and ".query_key_value." in name:
        size = config.hidden_size // heads
        parts = value.reshape(heads, 3, size, -1)
        return np.concatenate([parts[:, i].reshape(heads * size, -1) for i in range(3)]).reshape(value.shape)
    return value


def add_parameters(writer, config, arch):
    hidden, heads = config.hidden_size, config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or hidden // heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(hidden)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(getattr(config, "intermediate_size", None) or config.n_inner)
    writer.add_head_count(heads)
    writer.add_vocab_size(config.vocab_size)
    if arch in (ARCH.GPT2, ARCH.GPTNEOX):
        writer.add_layer_norm_eps(getattr(config, "layer_norm_eps", None) or config.layer_norm_epsilon)
    else:
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if arch in (ARCH.QWEN3, ARCH.GEMMA2, ARCH.GEMMA3):
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    if arch in (ARCH.PHI3, ARCH.GPTNEOX):
        writer.add_rope_dimension_count(int(head_dim * config.rope_parameters["partial_rotary_factor"]))
    if arch == ARCH.GPT2:
        return
    ropes = config.rope_parameters
    ropes = ropes.get("full_attention", ropes)
    writer.add_rope_freq_base(ropes["rope_theta"])
    if ropes["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(ropes["factor"])
    if ropes["rope_type"] == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(ropes["factor"])
        writer.add_rope_scaling_orig_ctx_len(ropes["original_max_position_embeddings"])
    if arch in (ARCH.GEMMA2, ARCH.GEMMA3, ARCH.PHI3):
        writer.add_sliding_window(config.sliding_window)
    if arch == ARCH.GEMMA2:
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    if arch == ARCH.GRANITE:
        writer.add_attention_scale(config.attention_multiplier)
        writer.add_embedding_scale(config.embedding_multiplier)
        writer.add_residual_scale(config.residual_multiplier)
        writer.add_logit_scale(config.logits_scaling)
    if arch == ARCH.PHI3:
        writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
        writer.add_tensor("rope_factors_long.weight", np.array(ropes["long_factor"], dtype=np.float32))
        writer.add_tensor("rope_factors_short.weight", np.array(ropes["short_factor"], dtype=np.float32))
    if arch == ARCH.GPTNEOX:
        writer.add_parallel_residual(config.use_parallel_residual)


def write(path, model, arch):
    config = model.config
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[arch])
    writer.add_name("tiny")
    add_parameters(writer, config, arch)
    add_tokenizer(writer, config.vocab_size)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    for name, value in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        value = np.ascontiguousarray(stored(name, value.numpy(), config, arch))
        kind = np.float32 if value.ndim == 1 else np.float16
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), value.astype(kind))
    finish(writer)


def main():
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    for seed, (name, (arch, settings)) in enumerate(CASES.items()):
        model = family_models.build(settings, 300 + seed)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.copy_(parameter.half())
            ids = family_models.rows(seed)
            logits = model(ids).logits.contiguous()
        path = OUT / f"{name}.gguf"
        write(path, model, arch)
        if name in READ_BY_TRANSFORMERS:
            # Of the metadata it reads a part (not Qwen 3's size of a head, for one): the configuration is given.
            read = AutoModelForCausalLM.from_pretrained(
                OUT, gguf_file=path.name, dtype=torch.float32, config=model.config, attn_implementation="eager"
            ).eval()
            with torch.no_grad():
                distance = (read(ids).logits - logits).abs().max() / logits.abs().max()
            print(name, "as transformers reads it:", distance.item())
            assert distance < 1e-4, (name, distance)
        tied = model.config.tie_word_embeddings
        tensors = {
            "model." + key: value.clone() for key, value in model.state_dict().items() if not (tied and key == "lm_head.weight")
        }
        save_file({"ids": ids, "logits": logits, **tensors}, path.with_suffix(".safetensors"))
        print(name, path.stat().st_size)


if __name__ == "__main__":
    main()
