"""Makes src/test/resources/dev/panatune/train/optim/bitsandbytes_adamw.safetensors: python make_bnb_optimizer_fixture.py FILE

Steps of bitsandbytes 0.50.2's AdamW on the CPU (torch 2.13.0), in 8 and in 32 bits, from the gradients that are stored
with it. One tensor has 4,757 elements, so that its last block is not full; its gradients differ in size from block to
block, and a block has none at all. One is below bitsandbytes' smallest 8-bit size; one, an embedding, is kept in 32 bits.
"""

import os
import pathlib
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from bitsandbytes.functional import create_dynamic_map
from bitsandbytes.optim import AdamW, GlobalOptimManager
from safetensors.torch import save_file

STEPS = 4
RATES = [3e-3, 1e-2, 5e-4, 2e-3]


def start():
    generator = torch.Generator().manual_seed(1)
    shapes = {"weight": (67, 71), "small.bias": (9,), "embed.weight": (64, 65)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def gradients(step):
    generator = torch.Generator().manual_seed(10 + step)
    result = {name: torch.randn(value.shape, generator=generator) * 0.1 for name, value in start().items()}
    flat = result["weight"].view(-1)
    flat *= torch.logspace(-6, 2, flat.numel())
    flat[512:768] = 0
    return result


def run(bits, tensors):
    values = {name: torch.nn.Parameter(value) for name, value in start().items()}
    decayed = [value for name, value in values.items() if not name.endswith("bias")]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": [values["small.bias"]], "weight_decay": 0.0}]
    optimiser = AdamW(groups, lr=1.0, betas=(0.8, 0.99), eps=1e-6, optim_bits=bits)
    GlobalOptimManager.get_instance().override_config(values["embed.weight"], "optim_bits", 32)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATES[step]
        for name, gradient in gradients(step).items():
            values[name].grad = gradient
        optimiser.step()
    for name, value in values.items():
        tensors[f"{bits}.{name}"] = value.detach().clone()
        for key in ("state1", "state2", "absmax1", "absmax2"):
            if key in optimiser.state[value]:
                tensors[f"{bits}.{key}.{name}"] = optimiser.state[value][key].clone()


def main(path):
    torch.set_num_threads(1)
    tensors = {f"start.{name}": value for name, value in start().items()}
    for step in range(STEPS):
        tensors.update({f"gradient.{step}.{name}": value for name, value in gradients(step).items()})
    tensors["qmap1"] = create_dynamic_map(signed=True)
    tensors["qmap2"] = create_dynamic_map(signed=False)
    run(8, tensors)
    run(32, tensors)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
