"""Makes the fixtures of dev.panatune.format: python make_format_fixtures.py ../resources/format

Needs torch 2.13.0, safetensors 0.8.0, gguf 0.19.0 and numpy. Everything is seeded; running it again changes nothing.
"""

import json
import pathlib
import sys

import gguf
import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from safetensors.torch import save_file

QUANTISED = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
             "IQ4_NL", "IQ4_XS"]
PLAIN = ["F32", "F16", "BF16"]


def pattern(shape, dtype):
    """Small whole numbers that every dtype holds exactly: -3, -2, ... 6, -3, ..."""
    count = int(np.prod(shape))
    values = torch.arange(count) % 10 - 3
    return values.reshape(shape).to(dtype)


def safetensors_files(out):
    tensors = {
        "f32": pattern([2, 3], torch.float32),
        "f16": pattern([5], torch.float16),
        "bf16": pattern([3, 1, 3], torch.bfloat16),
        "f64": pattern([2], torch.float64),
        "i64": pattern([3], torch.int64),
        "i32": pattern([2, 2], torch.int32),
        "i16": pattern([1], torch.int16),
        "i8": pattern([7], torch.int8),
        "u8": pattern([4], torch.int32).abs().to(torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "f8_e4m3": pattern([3], torch.float32).to(torch.float8_e4m3fn),
        "scalar": torch.tensor(1.5),
        "empty": torch.zeros(0, 4),
        "nan": torch.tensor([float("nan"), float("inf"), -float("inf")]),
        'strange "name" \\ \t é 中 😀': torch.tensor([2.0]),
    }
    save_file(tensors, out / "all_types.safetensors", {"format": "pt"})
    shards = {
        "model-00001-of-00002.safetensors": {"model.embed.weight": pattern([4, 2], torch.bfloat16)},
        "model-00002-of-00002.safetensors": {
            "model.norm.weight": pattern([2], torch.bfloat16),
            "lm_head.weight": pattern([4, 2], torch.bfloat16),
        },
    }
    model = out / "sharded"
    model.mkdir(exist_ok=True)
    for name, part in shards.items():
        save_file(part, model / name, {"format": "pt"})
    index = {
        "metadata": {"total_size": 36},
        "weight_map": {tensor: name for name, part in shards.items() for tensor in part},
    }
    (model / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    (model / "config.json").write_text(json.dumps({"model_type": "llama", "hidden_size": 2}) + "\n")


def blocks(rng, name, rows, blocks_a_row):
    """Random codes; the scales are redrawn where they came out as no finite number."""
    kind = GGMLQuantizationType[name]
    elements, size = GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (rows * blocks_a_row, size), dtype=np.uint8)
    while True:
        with np.errstate(all="ignore"):
            values = gguf.quants.dequantize(raw, kind)
        broken = ~np.isfinite(values).all(axis=-1)
        if not broken.any():
            return raw.reshape(rows, -1), values.reshape(rows, blocks_a_row * elements)
        raw[broken] = rng.integers(0, 256, (int(broken.sum()), size), dtype=np.uint8)


def gguf_file(out):
    """All types that are dequantised, and beside it what the package makes of them, in fp32."""
    rng = np.random.default_rng(20)
    writer = gguf.GGUFWriter(out / "all_types.gguf", "llama")
    writer.add_name("Fixture")
    writer.add_uint8("test.uint8", 200)
    writer.add_int8("test.int8", -100)
    writer.add_uint16("test.uint16", 60000)
    writer.add_int16("test.int16", -30000)
    writer.add_uint32("test.uint32", 4000000000)
    writer.add_int32("test.int32", -2000000000)
    writer.add_uint64("test.uint64", 2**64 - 1)
    writer.add_int64("test.int64", -(2**63))
    writer.add_float32("test.float32", 0.5)
    writer.add_float64("test.float64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "Grüße, 中 😀")
    writer.add_array("test.strings", ["a", "", "ß"])
    writer.add_array("test.integers", [1, -2, 3])
    writer.add_array("test.floats", [0.5, -1.5])
    writer.add_array("test.bools", [True, False])
    expected = {}
    for name in QUANTISED:
        elements, _ = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
        raw, values = blocks(rng, name, rows=3, blocks_a_row=512 // elements if elements == 32 else 1)
        writer.add_tensor("t." + name, raw, raw_dtype=GGMLQuantizationType[name])
        expected[name] = values
    for name in PLAIN:
        values = rng.standard_normal((2, 5)).astype(np.float32)
        kind = GGMLQuantizationType[name]
        raw = gguf.quants.quantize(values, kind)
        writer.add_tensor("t." + name, raw, raw_dtype=kind)
        expected[name] = gguf.quants.dequantize(raw, kind)
    for name in ["IQ2_XXS", "I8"]:
        _, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
        raw = np.zeros((1, size), dtype=np.int8 if name == "I8" else np.uint8)
        writer.add_tensor("t." + name, raw, raw_dtype=GGMLQuantizationType[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file({name: torch.from_numpy(values.copy()) for name, values in expected.items()},
              out / "all_types_dequantized.safetensors")


def encoded_weights(out):
    """What the package makes of weights: ties, zeros, and blocks of all magnitudes."""
    rng = np.random.default_rng(21)
    weights = (rng.standard_normal((6, 64)) * 10.0 ** rng.integers(-6, 4, (6, 1))).astype(np.float32)
    weights[1, :32] = 0
    weights[2, :32] = np.arange(32) * 4 + 0.5
    weights[2, 31] = 127
    tensors = {"weights": torch.from_numpy(weights)}
    for name in ["F16", "BF16", "Q8_0"]:
        data = gguf.quants.quantize(weights, GGMLQuantizationType[name])
        tensors[name] = torch.from_numpy(np.ascontiguousarray(data).view(np.uint8).copy())
    save_file(tensors, out / "encoded.safetensors")


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    safetensors_files(out)
    gguf_file(out)
    encoded_weights(out)


if __name__ == "__main__":
    main()
