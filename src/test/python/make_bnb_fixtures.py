"""Makes the 4-bit checkpoints of src/test/resources/bnb as transformers saves them: python make_bnb_fixtures.py

Needs torch 2.13.0, transformers 5.23.0, bitsandbytes 0.50.2 and safetensors 0.8.0. Each is parity/tied quantised; beside
the checkpoint lies logits.safetensors: `ids` and the fp32 `logits` that transformers computes with it.
"""

import pathlib

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

RESOURCES = pathlib.Path(__file__).resolve().parents[1] / "resources"
IDS = torch.tensor([[3, 14, 15, 92, 65, 35, 89, 79, 32, 38, 46, 26]])


def main():
    for quant_type, nested in [("nf4", True), ("fp4", False)]:
        out = RESOURCES / "bnb" / f"{quant_type}_{'nested' if nested else 'flat'}"
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=quant_type,
            bnb_4bit_use_double_quant=nested,
            bnb_4bit_compute_dtype=torch.float32,
        )
        model = AutoModelForCausalLM.from_pretrained(
            RESOURCES / "parity" / "tied", quantization_config=config, device_map="cpu", dtype=torch.float32
        )
        model.save_pretrained(out)
        (out / "generation_config.json").unlink(missing_ok=True)
        with torch.no_grad():
            logits = model(IDS).logits.float().contiguous()
        save_file({"ids": IDS, "logits": logits}, out / "logits.safetensors")


if __name__ == "__main__":
    main()
