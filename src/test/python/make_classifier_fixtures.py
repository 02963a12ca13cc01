"""Makes classifier.safetensors beside each model of src/test/resources/families:
python make_classifier_fixtures.py ../resources/families

Needs torch 2.13.0, transformers 5.23.0, peft 0.21.2 and safetensors 0.8.0. It holds a random head of three labels
(`score.weight`), `ids` padded at the right with 0, and what transformers' ...ForSequenceClassification computes with
them on the model beside it: `logits` of each row, and the `loss` of `labels`. In classifier/ is llama's whole, as transformers
saves it, with a LoRA adapter of PEFT's (task_type SEQ_CLS, its head trained whole) and the `adapter_logits`.
"""

import json
import os
import pathlib
import shutil
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification

import family_models

LABELS = torch.tensor([2, 0, 1])


def padded():
    ids = family_models.rows(5, 3)
    ids[0, 9:] = 0
    ids[2, 21:] = 0
    return ids


def classifier(directory):
    torch.manual_seed(7)
    model = AutoModelForSequenceClassification.from_pretrained(
        directory, num_labels=3, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    with torch.no_grad():
        model.score.weight.normal_(std=0.3)
    return model


def adapter(model, ids, out):
    adapted = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=3, target_modules="all-linear"))
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for _, parameter in sorted(adapted.named_parameters()):
            if parameter.requires_grad:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
        adapted.save_pretrained(out / "adapter")
        (out / "adapter" / "README.md").unlink()
        path = out / "adapter" / "adapter_config.json"
        config = json.loads(path.read_text())
        config["target_modules"].sort()
        config["base_model_name_or_path"] = "llama"
        path.write_text(json.dumps(config, indent=2, sort_keys=True))
        save_file({"ids": ids, "adapter_logits": adapted.eval()(ids).logits}, out / "expected.safetensors")


def main(families):
    torch.set_num_threads(1)
    ids = padded()
    for directory in sorted(families.iterdir()):
        if directory.name == "granite":  # transformers has no such class
            continue
        model = classifier(directory)
        with torch.no_grad():
            result = model(ids, labels=LABELS)
        save_file(
            {
                "score.weight": model.score.weight.detach().contiguous(),
                "ids": ids,
                "labels": LABELS,
                "logits": result.logits.contiguous(),
                "loss": result.loss.reshape(1),
            },
            directory / "classifier.safetensors",
        )
        if directory.name == "llama":
            out = families.parent / "classifier"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            model.save_pretrained(out)
            adapter(model, ids, out)
        print(directory.name)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
