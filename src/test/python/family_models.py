"""Configurations of every family: fixed ones whose every key matters, and random ones.

Each is a dict of the arguments of the family's transformers configuration; `CASES` are what
make_family_fixtures.py stores, `draw` is what compare_families.py runs.
"""

import torch
from transformers import AutoConfig, AutoModelForCausalLM

VOCABULARY = 40
LENGTH = 26

COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
RMS = {"rms_norm_eps": 1e-2}


def rope(kind="default", theta=100.0, **more):
    return {"rope_type": kind, "rope_theta": theta, **more}


LLAMA3 = {
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {"factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 2.0, "beta_slow": 0.5, "truncate": False}
LONG = {
    "short_factor": [1.0, 1.5],
    "long_factor": [1.2, 3.0],
    "original_max_position_embeddings": 16,
}

CASES = {
    "llama": dict(COMMON, **RMS, model_type="llama", head_dim=8, mlp_bias=True, rope_parameters=rope("llama3", **LLAMA3)),
    "llama_linear": dict(COMMON, **RMS, model_type="llama", attention_bias=True, rope_parameters=rope("linear", factor=2.0)),
    "llama_dynamic": dict(COMMON, **RMS, model_type="llama", max_position_embeddings=12, rope_parameters=rope("dynamic", factor=3.0)),
    "llama_yarn": dict(COMMON, **RMS, model_type="llama", head_dim=16, rope_parameters=rope("yarn", **YARN)),
    "llama_longrope": dict(COMMON, **RMS, model_type="llama", rope_parameters=rope("longrope", factor=2.0, **LONG)),
    "mistral": dict(COMMON, **RMS, model_type="mistral", head_dim=8, sliding_window=7, rope_parameters=rope()),
    "qwen2": dict(
        COMMON, **RMS, model_type="qwen2", use_sliding_window=True, sliding_window=6, max_window_layers=1, rope_parameters=rope()
    ),
    "qwen3": dict(
        COMMON, **RMS, model_type="qwen3", head_dim=8, attention_bias=True, tie_word_embeddings=True,
        use_sliding_window=True, sliding_window=6, max_window_layers=2,
        rope_parameters=rope("yarn", mscale=2.0, mscale_all_dim=0.5, **YARN),
    ),
    "smollm3": dict(
        COMMON, **RMS, model_type="smollm3", no_rope_layer_interval=2, use_sliding_window=True, sliding_window=9,
        attention_bias=True, mlp_bias=True, rope_parameters=rope(),
    ),
    "gemma2": dict(
        COMMON, **RMS, model_type="gemma2", head_dim=8, query_pre_attn_scalar=5, sliding_window=7,
        attn_logit_softcapping=1.5, final_logit_softcapping=2.0, rope_parameters=rope(),
    ),
    "gemma3": dict(
        COMMON, **RMS, model_type="gemma3_text", head_dim=8, query_pre_attn_scalar=5, sliding_window=7,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"], final_logit_softcapping=3.0,
        rope_parameters={"full_attention": rope("linear", 1000.0, factor=2.0), "sliding_attention": rope(theta=50.0)},
    ),
    "phi3": dict(
        COMMON, **RMS, model_type="phi3", hidden_size=32, num_attention_heads=4, sliding_window=20,
        original_max_position_embeddings=16, max_position_embeddings=64,
        rope_parameters=rope("longrope", partial_rotary_factor=0.5, **LONG),
    ),
    "granite": dict(
        COMMON, **RMS, model_type="granite", attention_bias=True, mlp_bias=True, embedding_multiplier=3.0, logits_scaling=4.0,
        residual_multiplier=0.6, attention_multiplier=0.3, rope_parameters=rope(),
    ),
    "olmo2": dict(COMMON, **RMS, model_type="olmo2", attention_bias=True, rope_parameters=rope()),
    "gpt2": {
        "model_type": "gpt2", "vocab_size": VOCABULARY, "n_embd": 16, "n_inner": 24, "n_layer": 3, "n_head": 4, "n_positions": 32,
        "layer_norm_epsilon": 1e-2, "initializer_range": 0.2, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
        "scale_attn_by_inverse_layer_idx": True, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
    },
    "gpt_neox": dict(
        {key: value for key, value in COMMON.items() if key != "num_key_value_heads"},
        model_type="gpt_neox", hidden_size=32, layer_norm_eps=1e-2, rope_parameters=rope(partial_rotary_factor=0.5),
    ),
    "gpt_neox_serial": dict(
        {key: value for key, value in COMMON.items() if key != "num_key_value_heads"},
        model_type="gpt_neox", layer_norm_eps=1e-2, use_parallel_residual=False, attention_bias=False,
        hidden_act="gelu_new", rope_parameters=rope(partial_rotary_factor=1.0),
    ),
}  # fmt: skip


def build(settings, seed):
    """A model of random weights, norms and biases: fp32, evaluation mode, attention in plain operations."""
    torch.manual_seed(seed)
    settings = dict(settings)
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    one_plus = config.model_type.startswith("gemma")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 and name.endswith("weight"):
                torch.nn.init.uniform_(parameter, -0.5 if one_plus else 0.5, 0.5 if one_plus else 1.5)
            elif name.endswith("bias"):
                torch.nn.init.normal_(parameter, std=0.2)
    return model


def rows(seed, count=2, length=LENGTH):
    """Random ids [count, length] that avoid the special ones."""
    return torch.randint(3, VOCABULARY, (count, length), generator=torch.Generator().manual_seed(seed))
