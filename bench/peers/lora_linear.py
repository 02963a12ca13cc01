"""One decoder layer's linear layers with LoRA: panatune::lora_linear beside the plain operations, and the base alone.

    python lora_linear.py LIBPANATUNE.so [--tokens 2048] [--threads 2]

SmolLM2-135M's shape, r = 16, bf16 by autocast, fp32 adapters, forward and backward; milliseconds, medians of five. The
plain operations are panatune::linear or linear_4bit for the base and panatune::linear for A and B. A projection group
(q/k/v; gate and up) is one call of the operator.
"""

import argparse
import time

import torch

SHAPES = [("q, k, v", [576, 192, 192], 576), ("o", [576], 576), ("gate, up", [1536, 1536], 576), ("down", [576], 1536)]
# The values do not matter here, only their number.
CODE = torch.linspace(-1, 1, 16)
RANK, SCALING, BLOCK = 16, 2.0, 64


def median(run):
    run()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[2] * 1e3


def measure(outs, width, tokens, quantised):
    ops = torch.ops.panatune
    x = torch.randn(tokens, width).bfloat16().requires_grad_()
    weights = [torch.randn(out, width).bfloat16() for out in outs]
    if quantised:
        packed = [ops.quantize_4bit(weight.float(), CODE, BLOCK, "nf4") for weight in weights]
        weights = [[codes, absmax, None, None, None, CODE] for codes, absmax in packed]
    a = [torch.randn(RANK, width).requires_grad_() for _ in outs]
    b = [torch.randn(out, RANK).requires_grad_() for out in outs]
    gradients = [torch.randn(tokens, out).bfloat16() for out in outs]
    count = len(outs)

    def base(i):
        if quantised:
            return ops.linear_4bit(x, *weights[i], None, outs[i], width, BLOCK, torch.bfloat16)
        return ops.linear(x, weights[i], None)

    def plain():
        return [base(i) + ops.linear(ops.linear(x, a[i], None), b[i], None) * SCALING for i in range(count)]

    def joint():
        parts = sum(weights, []) if quantised else weights
        rest = ([SCALING] * count, [0.0] * count, BLOCK if quantised else 0)
        return ops.lora_linear(x, parts, [None] * count, a, b, *rest)

    def both_ways(forward):
        with torch.autocast("cpu", torch.bfloat16):
            outputs = forward()
        torch.autograd.backward(outputs, gradients)

    runs = (plain, joint, lambda: [base(i) for i in range(count)])
    return [median(lambda run=run: both_ways(run)) for run in runs]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.ops.load_library(arguments.library)
    torch.set_num_threads(arguments.threads)
    for quantised in (False, True):
        rows = [measure(outs, width, arguments.tokens, quantised) for _, outs, width in SHAPES]
        names = [name for name, _, _ in SHAPES] + ["layer"]
        for name, row in zip(names, rows + [[sum(column) for column in zip(*rows)]]):
            plain, joint, base = row
            kind = "NF4" if quantised else "bf16"
            print(f"{kind:5}{name:9} plain {plain:7.1f}  lora_linear {joint:7.1f}  base alone {base:7.1f}", flush=True)


if __name__ == "__main__":
    main()
