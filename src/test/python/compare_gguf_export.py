"""Writes random Llama models as GGUF with `panatune export` and reads them with gguf and transformers.

    python src/test/python/compare_gguf_export.py [SECONDS] [SEED]

Needs torch 2.13.0, transformers 5.23.0 and gguf 0.19.0. For each of F32, F16, BF16 and Q8_0: every tensor that the gguf
package reads equals what it would have quantised itself, bit for bit; transformers' logits from the file are those from
the same weights put through that type (2e-5 of the largest); tokenizer and chat template come back.
"""

import pathlib
import random
import subprocess
import sys
import tempfile
import time

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOKENIZER = ROOT / "src" / "test" / "resources" / "parity" / "untied"
TEXT = "Hello world, 12345 the fox! äöü 日本 <|im_start|>user\n"
TYPES = {"f32": "F32", "f16": "F16", "bf16": "BF16", "q8_0": "Q8_0"}


def random_model(rng):
    heads = rng.choice([1, 2, 4])
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=32 * rng.choice([1, 2, 3]),
        intermediate_size=rng.choice([32, 48, 96]),
        num_hidden_layers=rng.choice([1, 2]),
        num_attention_heads=heads * rng.choice([1, 2]),
        num_key_value_heads=heads,
        head_dim=rng.choice([8, 16, 32]),
        max_position_embeddings=128,
        rope_parameters={"rope_type": "default", "rope_theta": rng.choice([10000.0, 500000.0])},
        rms_norm_eps=rng.choice([1e-5, 1e-6]),
        tie_word_embeddings=rng.random() < 0.5,
        initializer_range=0.2,
    )
    torch.manual_seed(rng.randrange(1 << 30))
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("norm.weight"):
                parameter.copy_(1 + 0.3 * torch.randn_like(parameter))
    return model


def through(weight, kind):
    """What is left of a matrix that is stored in a type; rows that are no whole blocks stay in F16."""
    if weight.dim() < 2:
        return weight
    if kind == "Q8_0" and weight.shape[1] % 32:
        kind = "F16"
    of = gguf.GGMLQuantizationType[kind]
    data = gguf.quants.quantize(np.ascontiguousarray(weight.numpy()), of)
    return torch.from_numpy(gguf.quants.dequantize(data, of).astype(np.float32))


def check(rng, folder):
    model = random_model(rng)
    source = folder / "model"
    model.save_pretrained(source)
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    tokenizer.save_pretrained(source)
    ids = torch.tensor([[rng.randrange(320) for _ in range(17)]])
    for option, kind in TYPES.items():
        file = folder / f"{option}.gguf"
        subprocess.run(
            [str(ROOT / "bin" / "panatune"), "export", "--model", source, "--out", file, "--type", option, "--threads", "1"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        expected = LlamaForCausalLM(model.config)
        expected.load_state_dict({name: through(value, kind) for name, value in model.state_dict().items()})
        found = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file.name, dtype=torch.float32)
        for name, value in expected.state_dict().items():
            assert torch.equal(value, found.state_dict()[name]), (option, name)
        with torch.no_grad():
            a, b = expected(ids).logits, found(ids).logits
        assert (a - b).abs().max() <= 2e-5 * a.abs().max(), (option, model.config)
        assert gguf.GGUFReader(file).tensors, option
    back = AutoTokenizer.from_pretrained(folder, gguf_file="f32.gguf")
    assert back(TEXT).input_ids == tokenizer(TEXT).input_ids
    assert back.chat_template == tokenizer.chat_template


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    end = time.time() + seconds
    count = 0
    while count == 0 or time.time() < end:
        with tempfile.TemporaryDirectory() as folder:
            check(random.Random(seed + count), pathlib.Path(folder))
        count += 1
    print(f"{count} models, 4 files each: equal")


if __name__ == "__main__":
    main()
