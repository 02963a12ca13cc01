"""Makes the GGUF models of src/test/resources/model and what transformers computes with them.

Needs torch 2.13.0, transformers 5.23.0, gguf 0.19.0 and safetensors 0.8.0:

    python src/test/python/make_gguf_fixtures.py

llama.gguf is quantised and has a tied head; llama31.gguf is F16, has a head of its own and the
rotary factors of Llama 3.1. Each has beside it NAME.safetensors: `ids`, and the fp32 `logits` that
transformers computes from the same file. The query and key rows are in GGUF's order, so that a
reader that leaves them there fails.
"""

import math
import pathlib

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

OUT = pathlib.Path(__file__).resolve().parents[1] / "resources" / "model"
TYPES = gguf.GGMLQuantizationType
LLAMA31 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def permuted(weight, heads):
    """The order in which llama.cpp's converter stores the rows of queries and keys."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def rope_factors(config):
    rope = config.rope_parameters
    frequencies = rope["rope_theta"] ** -(np.arange(0, config.head_dim, 2) / config.head_dim)
    factors = []
    for wavelength in 2 * math.pi / frequencies:
        smooth = (rope["original_max_position_embeddings"] / wavelength - 1) / 3
        smooth = min(max(smooth, 0), 1)
        factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def write(path, model, type_of):
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    add_tokenizer(writer, config.vocab_size)

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, value in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        value = value.numpy()
        if ".q_proj." in name:
            value = permuted(value, config.num_attention_heads)
        if ".k_proj." in name:
            value = permuted(value, config.num_key_value_heads)
        kind = type_of(name, value)
        data = gguf.quants.quantize(np.ascontiguousarray(value), kind)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), data, raw_dtype=kind)
    if config.rope_parameters["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", rope_factors(config))
    finish(writer)


def add_tokenizer(writer, vocab_size):
    """A byte-level tokenizer of the printable characters and two merges."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    letters = [chr(c) for c in range(ord("!"), ord("~") + 1)] + ["Ġ", "Ċ"]
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + letters + ["th", "the"]
    tokens += [f"<|extra_{i}|>" for i in range(vocab_size - len(tokens))]
    special = [3 if token.startswith("<|") else 1 for token in tokens]
    writer.add_token_list(tokens)
    writer.add_token_types(special)
    writer.add_token_merges(["t h", "th e"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def random_model(seed, hidden_size, **options):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=112,
        hidden_size=hidden_size,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        rms_norm_eps=1e-5,
        initializer_range=0.2,
        **options,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("norm.weight"):
                parameter.copy_(1 + 0.3 * torch.randn_like(parameter))
    return model


def expect(path, model):
    ids = torch.randint(0, 112, (1, 96))
    with torch.no_grad():
        logits = model.eval()(ids).logits
    save_file({"ids": ids, "logits": logits.contiguous()}, path.with_suffix(".safetensors"))


def quantised_type(name, value):
    if value.ndim == 1:
        return TYPES.F32
    if "embed" in name:
        return TYPES.Q8_0
    return TYPES.Q4_1 if "mlp" in name else TYPES.Q5_0


def main():
    OUT.mkdir(parents=True, exist_ok=True)

    path = OUT / "llama.gguf"
    write(path, random_model(1, 64, tie_word_embeddings=True), quantised_type)
    expect(path, AutoModelForCausalLM.from_pretrained(OUT, gguf_file=path.name, dtype=torch.float32))

    # transformers leaves rope_freqs.weight aside, so the model that was written says what is right.
    path = OUT / "llama31.gguf"
    model = random_model(2, 32, tie_word_embeddings=False, rope_parameters=LLAMA31)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half())
    write(path, model, lambda name, value: TYPES.F32 if value.ndim == 1 else TYPES.F16)
    expect(path, model)


if __name__ == "__main__":
    main()
