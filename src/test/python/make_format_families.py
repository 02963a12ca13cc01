"""Makes src/test/resources/checkpoints: a model of each family as torch.save and as bitsandbytes 4-bit checkpoint.

    python src/test/python/make_format_families.py

Needs torch 2.13.0, transformers 5.23.0, bitsandbytes 0.50.2 and safetensors 0.8.0. The models are those of
src/test/resources/families. NAME/pytorch_model.bin is the state dict, with tied weights in one storage and, for GPT-2 and
GPT-NeoX, the masks that older versions saved; NAME/nf4 is what transformers saves of the model in NF4 with nested
scales, with the `logits` that it has then in fp32.
"""

import pathlib
import shutil

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

RESOURCES = pathlib.Path(__file__).resolve().parents[1] / "resources"
FAMILIES = RESOURCES / "families"
OUT = RESOURCES / "checkpoints"
NAMES = ["llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma2", "gemma3", "phi3", "granite", "olmo2", "gpt2", "gpt_neox"]
MASKS = {"gpt2": "transformer.h.{}.attn.bias", "gpt_neox": "gpt_neox.layers.{}.attention.bias"}


def load(name, **options):
    return AutoModelForCausalLM.from_pretrained(
        FAMILIES / name, dtype=torch.float32, attn_implementation="eager", **options
    ).eval()


def main():
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    for name in NAMES:
        folder = OUT / name
        folder.mkdir(parents=True)
        model = load(name)
        state = dict(model.state_dict())
        if name in MASKS:
            for layer in range(model.config.num_hidden_layers):
                state[MASKS[name].format(layer)] = torch.ones(1, 1, 8, 8, dtype=torch.bool).tril()
        torch.save(state, folder / "pytorch_model.bin")

        config = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.float32
        )
        quantised = load(name, quantization_config=config, device_map="cpu")
        quantised.save_pretrained(folder / "nf4")
        (folder / "nf4" / "generation_config.json").unlink(missing_ok=True)
        ids = load_file(FAMILIES / name / "expected.safetensors")["ids"]
        with torch.no_grad():
            logits = quantised(ids).logits.float().contiguous()
            distance = (logits - model(ids).logits).abs().max() / logits.abs().max()
        save_file({"ids": ids, "logits": logits}, folder / "nf4" / "logits.safetensors")
        print(name, sorted(path.name for path in (folder / "nf4").iterdir()), "4 bits move the logits by", distance.item())


if __name__ == "__main__":
    main()
