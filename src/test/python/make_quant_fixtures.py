"""Makes the golden files of dev.panatune.quant with bitsandbytes 0.50.2 on a CPU.

    TORCHDYNAMO_DISABLE=1 python src/test/python/make_quant_fixtures.py src/test/resources/dev/panatune/quant

codes.safetensors    inputs `input.{set}.{dtype}` and, for every type and blocksize, what quantize_4bit makes of them:
                     `{set}.{dtype}.{type}.{blocksize}.packed`, `.absmax`; `.dequantized.{dtype}` at some.
nested.safetensors   `{type}.{part}` for a weight whose block maxima are multiples of 1/256: their mean is the same in
                     whatever order a CPU adds them up. `blockwise.*`: inputs and results of quantize_blockwise.
linear.safetensors   state dicts of bitsandbytes.nn.Linear4bit as transformers saves them, beside the weights that they
                     were made of and what they decode to.

Weights come from torch's default CPU backend. Its 8-bit quantiser is the library's (65,536 bins); its dynamic map is
made with linspace, whose last bit depends on the CPU's vector width, so the tests take the map from here.
"""

import sys
from pathlib import Path

import bitsandbytes
import bitsandbytes.functional as F
import torch
from bitsandbytes.backends.default.ops import _get_4bit_quantize_bounds
from safetensors.torch import save_file

TYPES = ("nf4", "fp4")
BLOCKSIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def decision_points():
    """All midpoints of both tables, the floats right below and above them, and the ends."""
    points = [torch.tensor([1.0, -1.0, 0.0, -0.0])]
    for quant_type in TYPES:
        bounds = _get_4bit_quantize_bounds(quant_type, torch.device("cpu"))[0]
        points += [bounds, torch.nextafter(bounds, torch.tensor(2.0)), torch.nextafter(bounds, torch.tensor(-2.0))]
    return torch.cat(points)


def inputs():
    """Two blocks of the largest size and an odd tail, with what is special in front; and small odd ones."""
    normal = torch.randn(13, 321, generator=torch.Generator().manual_seed(1)) * 0.05
    flat = normal.reshape(-1)
    flat[:64] = 0
    points = decision_points()
    flat[64 : 64 + points.numel()] = points
    flat[256:320] *= 1e-39
    flat[320:352] *= 1e38
    broken = torch.randn(5, 67, generator=torch.Generator().manual_seed(2))
    broken[0, 3] = float("nan")
    broken[2, 1] = float("inf")
    broken[2, 30] = float("-inf")
    broken[4, 66] = float("nan")
    return {
        "normal": normal,
        "broken": broken,
        "zeros": torch.zeros(3, 23),
        "one": torch.tensor([-0.25]),
        "points": points,
    }


def codes():
    out = {}
    for set_name, values in inputs().items():
        for dtype_name, dtype in DTYPES.items():
            source = values.to(dtype).contiguous()
            out[f"input.{set_name}.{dtype_name}"] = source
            for quant_type in TYPES:
                for blocksize in BLOCKSIZES:
                    key = f"{set_name}.{dtype_name}.{quant_type}.{blocksize}"
                    packed, state = F.quantize_4bit(source, blocksize=blocksize, quant_type=quant_type)
                    out[key + ".packed"] = packed
                    out[key + ".absmax"] = state.absmax
                    if set_name in ("normal", "one") and dtype_name == "float32" and blocksize in (64, 4096):
                        for target_name, target in DTYPES.items():
                            state.dtype = target
                            out[f"{key}.dequantized.{target_name}"] = F.dequantize_4bit(packed, state)
    return out


def nested():
    out = {}
    generator = torch.Generator().manual_seed(3)
    blocks = 300
    weight = torch.rand(blocks, 32, generator=generator) * 1.9 - 0.95
    maxima = torch.randint(1, 256, (blocks,), generator=generator) / 256
    weight[:, 7] = 1
    weight = (weight * maxima.unsqueeze(1)).to(torch.bfloat16).reshape(96, 100)
    out["weight"] = weight
    for quant_type in TYPES:
        packed, state = F.quantize_4bit(weight, blocksize=32, quant_type=quant_type, compress_statistics=True)
        assert state.absmax.dtype == torch.uint8 and state.state2.absmax.numel() == 2
        out[f"{quant_type}.packed"] = packed
        out[f"{quant_type}.absmax"] = state.absmax
        out[f"{quant_type}.nested_absmax"] = state.state2.absmax
        out[f"{quant_type}.offset"] = state.offset.reshape(1)
        out[f"{quant_type}.dequantized"] = F.dequantize_4bit(packed, state)
    table = F.create_dynamic_map()
    out["dynamic_map"] = table
    values = torch.randn(1403, generator=generator)
    values[256:512] = 0
    values[600] = float("nan")
    values[800] = float("inf")
    for dtype_name, dtype in DTYPES.items():
        source = values.to(dtype)
        quantized, absmax = torch.ops.bitsandbytes.quantize_blockwise(source, table, 256)
        out[f"blockwise.{dtype_name}.input"] = source
        out[f"blockwise.{dtype_name}.quantized"] = quantized
        out[f"blockwise.{dtype_name}.absmax"] = absmax
        out[f"blockwise.{dtype_name}.dequantized"] = torch.ops.bitsandbytes.dequantize_blockwise(
            quantized, absmax, table, 256, dtype
        )
    return out


def linear():
    out = {}
    generator = torch.Generator().manual_seed(4)
    for quant_type in TYPES:
        for double in (False, True):
            name = f"{quant_type}_{'nested' if double else 'flat'}"
            weight = (torch.randn(24, 40, generator=generator) * 0.2).to(torch.bfloat16)
            layer = bitsandbytes.nn.Linear4bit(40, 24, bias=False, quant_type=quant_type, compress_statistics=double)
            layer.weight = bitsandbytes.nn.Params4bit(
                weight.clone(), requires_grad=False, quant_type=quant_type, compress_statistics=double
            )
            layer = layer.to("cpu")
            for key, value in layer.state_dict(prefix=name + ".").items():
                out[key] = value.contiguous()
            out[name + ".source"] = weight
            out[name + ".dequantized"] = F.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    return out


def main(folder):
    assert bitsandbytes.__version__ == "0.50.2", bitsandbytes.__version__
    torch.set_num_threads(1)
    metadata = {"bitsandbytes": bitsandbytes.__version__, "torch": torch.__version__}
    for name, make in (("codes", codes), ("nested", nested), ("linear", linear)):
        save_file({k: v.contiguous() for k, v in make().items()}, folder / f"{name}.safetensors", metadata)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
