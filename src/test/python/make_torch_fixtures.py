"""Makes the torch.save archives of src/test/resources/torch: python make_torch_fixtures.py

Needs torch 2.13.0 and safetensors 0.8.0. Everything is seeded; running it again changes nothing but the archives' ids.

all.pt holds every dtype and layout, all.safetensors what the tensors of it are that can be computed with; deflated.pt is
the same archive compressed. The others are what must be refused. untied/ has the weights of parity/untied in shards.
"""

import collections
import io
import json
import os
import pathlib
import zipfile

import torch
from safetensors.torch import load_file, save_file

RESOURCES = pathlib.Path(__file__).resolve().parents[1] / "resources"
OUT = RESOURCES / "torch"

DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
OTHERS = ["complex64", "complex128", "uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2"]


class Attack:
    def __reduce__(self):
        return os.system, ("touch /tmp/panatune-was-attacked",)


class Arguments:
    pass


def contents():
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    shared = torch.arange(10, dtype=torch.bfloat16)
    attributed = torch.tensor([7.0, 8.0])
    attributed.note = "kept by Python alone"
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return {
        "transposed": base.t(),
        "strided": base[1:, ::2],
        "column": base[:, 3],
        "shared_head": shared[:4],
        "shared_tail": shared[2:],
        "expanded": torch.tensor([[1.5], [2.5]]).expand(2, 3),
        "scalar": torch.tensor(3.25),
        "empty": torch.zeros(0, 4),
        "four": torch.arange(36, dtype=torch.float16).reshape(1, 2, 3, 6).permute(3, 1, 0, 2)[::2],
        "parameter": torch.nn.Parameter(torch.tensor([1.0, -2.0])),
        "attributed": attributed,
        "state_dict": module.state_dict(),
        "dtypes": {name: (torch.arange(5) % 3).to(getattr(torch, name)) for name in DTYPES + OTHERS},
        "optimizer": {"state": {0: {"step": torch.tensor(2.0)}, 1: {}}, "param_groups": [{"lr": 0.5, "betas": (0.9, 0.99)}]},
        "epoch": 3,
        "negative": -1,
        "large": 2**40,
        "huge": -(2**80),
        "name": "Grüße, 中 😀",
        "none": None,
        "flags": [True, False],
        "bytes": b"\x00\xff",
        "array": bytearray(b"ab"),
        "size": torch.Size([2, 3]),
        "device": torch.device("cuda:1"),
        "dtype": torch.float32,
        "counter": collections.Counter("aab"),
        "set": {1},
        "complex": 1 + 2j,
    }


def flat(prefix, value):
    if isinstance(value, torch.Tensor):
        yield prefix, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from flat(f"{prefix}.{key}" if prefix else str(key), item)
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from flat(f"{prefix}.{i}", item)


def deflate(source, target):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(zipfile.ZipInfo(member.filename), old.read(member), zipfile.ZIP_DEFLATED)


def sharded():
    """A quarter of the storages hold two tensors, and a quarter are transposed."""
    weights = load_file(RESOURCES / "parity" / "untied" / "model.safetensors")
    out = OUT / "untied"
    out.mkdir(exist_ok=True)
    names = sorted(weights)
    index = {}
    for shard, part in enumerate([names[: len(names) // 2], names[len(names) // 2 :]]):
        file = f"pytorch_model-{shard + 1:05d}-of-00002.bin"
        state = collections.OrderedDict()
        for i, name in enumerate(part):
            value = weights[name]
            if i % 4 == 1 and value.dim() == 2:
                value = value.t().contiguous().t()
            elif i % 4 == 3:
                value = torch.stack([torch.full_like(value, 9), value])[1]
            state[name] = value
            index[name] = file
        torch.save(state, out / file)
    (out / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}, indent=1) + "\n")


def main():
    OUT.mkdir(exist_ok=True)
    all_of_it = contents()
    torch.save(all_of_it, OUT / "all.pt")
    deflate(OUT / "all.pt", OUT / "deflated.pt")
    expected = dict(flat("", all_of_it))
    save_file(
        {name: value.detach().clone().contiguous() for name, value in expected.items() if name.split(".")[-1] not in OTHERS},
        OUT / "all.safetensors",
    )
    torch.save(torch.tensor([[1.0, 2.0]]), OUT / "alone.pt")
    torch.save({"w": torch.ones(2)}, OUT / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"w": torch.ones(2), "args": Arguments()}, OUT / "object.pt")
    torch.save({"w": torch.ones(2), "x": Attack()}, OUT / "attack.pt")
    torch.save({"q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, OUT / "quantized.pt")
    torch.save({"s": torch.eye(2).to_sparse()}, OUT / "sparse.pt")
    torch.save({"c": torch.tensor([1 + 2j]).conj()}, OUT / "conjugate.pt")
    torch.save({"w": torch.ones(2)}, OUT / "protocol4.pt", pickle_protocol=4)
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(OUT / "script.pt"))
    big = io.BytesIO()
    torch.save({"w": torch.ones(2)}, big)
    with zipfile.ZipFile(big) as old, zipfile.ZipFile(OUT / "big_endian.pt", "w") as new:
        for member in old.infolist():
            new.writestr(member.filename, b"big" if member.filename.endswith("byteorder") else old.read(member))
    sharded()


if __name__ == "__main__":
    main()
