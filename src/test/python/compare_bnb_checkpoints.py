"""Exchanges 4-bit checkpoints with transformers and bitsandbytes, both ways.

    python src/test/python/compare_bnb_checkpoints.py

Needs torch 2.13.0, transformers 5.23.0, bitsandbytes 0.50.2 and safetensors 0.8.0. For NF4 and FP4, nested and flat:
what `panatune quantize` writes has the tensors that transformers saves, bit for bit, and loads in transformers; what
transformers saves, `panatune export --dtype fp32` and `panatune quantize` read. The logits are the same to 2e-5 of the largest.
"""

import pathlib
import subprocess
import tempfile

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODEL = ROOT / "src" / "test" / "resources" / "parity" / "untied"
IDS = torch.tensor([[3, 14, 15, 92, 65, 35, 89, 79, 32, 38, 46, 26]])


def panatune(*arguments):
    subprocess.run([str(ROOT / "bin" / "panatune"), *map(str, arguments), "--threads", "1"], check=True, stdout=subprocess.DEVNULL)


def logits(path, **options):
    model = AutoModelForCausalLM.from_pretrained(path, device_map="cpu", dtype=torch.float32, **options)
    with torch.no_grad():
        return model, model(IDS).logits.float()


def main():
    for quant_type in ["nf4", "fp4"]:
        for nested in [False, True]:
            with tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
                config = BitsAndBytesConfig(
                    load_in_4bit=True,
                    bnb_4bit_quant_type=quant_type,
                    bnb_4bit_use_double_quant=nested,
                    bnb_4bit_compute_dtype=torch.float32,
                )
                model, expected = logits(MODEL, quantization_config=config)
                model.save_pretrained(folder / "python")
                options = ["--quant-type", quant_type, "--dtype", "fp32"] + (["--double-quant"] if nested else [])
                panatune("quantize", "--model", MODEL, "--out", folder / "java", *options)
                theirs = load_file(folder / "python" / "model.safetensors")
                ours = load_file(folder / "java" / "model.safetensors")
                assert theirs.keys() == ours.keys(), theirs.keys() ^ ours.keys()
                for key, value in theirs.items():
                    assert value.dtype == ours[key].dtype and torch.equal(value, ours[key]), key
                _, found = logits(folder / "java")
                assert (found - expected).abs().max() <= 2e-5 * expected.abs().max()
                panatune("export", "--model", folder / "python", "--out", folder / "back", "--dtype", "fp32")
                back = load_file(folder / "back" / "model.safetensors")
                for key, value in theirs.items():
                    assert torch.equal(value, back[key]), key
                _, again = logits(folder / "back")
                assert (again - expected).abs().max() <= 2e-5 * expected.abs().max()
                print(quant_type, "nested" if nested else "flat", len(theirs), "tensors: equal")


if __name__ == "__main__":
    main()
