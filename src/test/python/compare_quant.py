"""Compares our quantisation kernels with the bitsandbytes that is installed, live and at length.

    OMP_NUM_THREADS=1 TORCHDYNAMO_DISABLE=1 python src/test/python/compare_quant.py PATH/TO/libpanatune.so

The golden files of dev.panatune.quant hold a part of this in the tests. Codes, scales and decoded values must be equal,
for all types, blocksizes and dtypes, with zero blocks, odd tails, NaN, infinities, subnormals and values exactly on and
next to the decision points; linear_4bit is compared with bitsandbytes' layer and checked by gradcheck. Ends with a
non-zero status if anything differs. Set PANATUNE_ISA, PANATUNE_KERNELS or ATEN_CPU_CAPABILITY for other paths.
"""

import sys

import bitsandbytes as bnb
import bitsandbytes.functional as F
import torch
from bitsandbytes.backends.default.ops import _get_4bit_quantize_bounds

OPS = torch.ops.panatune
TYPES = ("nf4", "fp4")
BLOCKSIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
SHAPES = [(64, 64), (1,), (3,), (7, 33), (63, 65), (5, 4099), (2, 1, 31), (128, 100), (0, 4), (576, 192)]
KINDS = ("random", "zeros", "zero block", "nan", "inf", "tiny", "negative zero", "decision points")

compared = 0
different = 0


def check(found, expected, *what):
    global compared, different
    compared += 1
    same = found.dtype == expected.dtype and found.shape == expected.shape
    if same and found.dtype.is_floating_point:
        same = bool(((found == expected) | (found.isnan() & expected.isnan())).all())
    elif same:
        same = torch.equal(found, expected)
    if not same:
        different += 1
        print("different:", *what)


def values(shape, dtype, kind):
    x = (torch.randn(shape) * 0.05).to(dtype).reshape(-1)
    n = x.numel()
    if n == 0:
        return x.reshape(shape)
    if kind == "zeros":
        x.zero_()
    elif kind == "zero block":
        x[:130] = 0
    elif kind == "nan":
        x[n // 2] = float("nan")
    elif kind == "inf":
        x[n // 3] = float("inf")
        x[-1] = float("-inf")
    elif kind == "tiny":
        x *= 1e-7 if dtype == torch.float16 else 1e-39
    elif kind == "negative zero":
        x[::2] = -0.0
    elif kind == "decision points":
        points = [torch.tensor([1.0, -1.0])]
        for quant_type in TYPES:
            bounds = _get_4bit_quantize_bounds(quant_type, torch.device("cpu"))[0]
            points += [bounds] + [torch.nextafter(bounds, torch.tensor(end)) for end in (2.0, -2.0)]
        points = torch.cat(points).to(dtype)
        x[:] = points.repeat(n // points.numel() + 1)[:n]
    return x.reshape(shape)


def compare_codes(table):
    for shape in SHAPES:
        for dtype in DTYPES:
            for kind in KINDS:
                x = values(shape, dtype, kind)
                for blocksize in BLOCKSIZES:
                    for quant_type in TYPES:
                        compare_4bit(x, blocksize, quant_type, kind)
                for blocksize in (64, 100, 256, 4096):
                    if x.numel() > 0:
                        compare_8bit(x, blocksize, table, kind)


def compare_4bit(x, blocksize, quant_type, kind):
    what = (tuple(x.shape), x.dtype, kind, blocksize, quant_type)
    code = F.get_4bit_type(quant_type, "cpu")
    expected, state = F.quantize_4bit(x, blocksize=blocksize, quant_type=quant_type)
    packed, absmax = OPS.quantize_4bit(x, code, blocksize, quant_type)
    check(packed, expected, "codes", *what)
    check(absmax, state.absmax, "scales", *what)
    for target in DTYPES if x.numel() > 0 else ():
        state.dtype = target
        decoded = OPS.dequantize_4bit(packed, absmax, code, blocksize, quant_type, x.shape, target)
        check(decoded, F.dequantize_4bit(expected, state).reshape(x.shape), "decoded", target, *what)


def compare_8bit(x, blocksize, table, kind):
    what = (tuple(x.shape), x.dtype, kind, blocksize)
    expected, scales = torch.ops.bitsandbytes.quantize_blockwise(x, table, blocksize)
    quantized, absmax = OPS.quantize_blockwise(x, table, blocksize)
    check(quantized, expected, "8-bit codes", *what)
    check(absmax, scales, "8-bit scales", *what)
    for target in DTYPES:
        decoded = OPS.dequantize_blockwise(quantized, absmax, table, blocksize, target)
        reference = torch.ops.bitsandbytes.dequantize_blockwise(expected, scales, table, blocksize, target)
        check(decoded, reference, "8-bit decoded", target, *what)


def compare_nested(table):
    """A large weight, whose mean of scales is summed up by several threads."""
    for dtype in DTYPES:
        x = (torch.randn(3000, 1003) * torch.rand(3000, 1)).to(dtype)
        for quant_type in TYPES:
            packed, state = F.quantize_4bit(x, blocksize=64, quant_type=quant_type, compress_statistics=True)
            codes, absmax = OPS.quantize_4bit(x, F.get_4bit_type(quant_type, "cpu"), 64, quant_type)
            offset = absmax.mean()
            quantized, scales = OPS.quantize_blockwise(absmax - offset, table, 256)
            check(codes, packed, "nested: codes", dtype, quant_type)
            check(offset, state.offset, "nested: offset", dtype, quant_type)
            check(quantized, state.absmax, "nested: scales", dtype, quant_type)
            check(scales, state.state2.absmax, "nested: scales of scales", dtype, quant_type)


def compare_linear():
    global different
    for compute in DTYPES:
        layer = bnb.nn.Linear4bit(256, 512, bias=False, compute_dtype=compute, quant_type="nf4")
        layer.weight = bnb.nn.Params4bit(torch.randn(512, 256) * 0.05, quant_type="nf4", compress_statistics=True)
        layer = layer.to("cpu").eval()
        state = layer.weight.quant_state
        parts = (layer.weight.data, state.absmax, state.state2.code, state.state2.absmax, state.offset, state.code)
        for rows in (1, 5, 64):
            x = torch.randn(rows, 256)
            with torch.no_grad():
                expected = layer(x)
                found = OPS.linear_4bit(x, *parts, None, 512, 256, 64, compute)
            error = ((found - expected).abs().max() / expected.abs().max()).item()
            limit = {torch.float32: 1e-6, torch.bfloat16: 8e-3, torch.float16: 1e-3}[compute]
            print(f"linear_4bit in {compute}, {rows} rows: {error:.1e} of the largest output")
            different += error > limit
    packed, state = F.quantize_4bit(torch.randn(12, 20), blocksize=32, quant_type="nf4")
    bias = torch.randn(12, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(
        lambda x, b: OPS.linear_4bit(
            x, packed, state.absmax, None, None, None, state.code, b, 12, 20, 32, torch.float64
        ),
        (torch.randn(3, 20, dtype=torch.float64, requires_grad=True), bias),
    )


def main(library):
    torch.ops.load_library(library)
    torch.manual_seed(0)
    print(f"bitsandbytes {bnb.__version__}, {torch.backends.cpu.get_cpu_capability()}, ours: {OPS.cpu_kernels()}")
    table = F.create_dynamic_map()
    check(OPS.dynamic_map(), table, "dynamic map")
    compare_codes(table)
    compare_nested(table)
    compare_linear()
    print(f"{compared} comparisons, {different} different")
    sys.exit(different > 0)


if __name__ == "__main__":
    main(sys.argv[1])
