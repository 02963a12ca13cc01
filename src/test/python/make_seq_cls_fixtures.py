"""Makes src/test/resources/seq_cls: python make_seq_cls_fixtures.py ../resources/seq_cls ../resources/methods

Classifiers of three classes by torch 2.13.0, transformers 5.23.0 and peft 0.21.2 on the bases of make_method_fixtures.py:
each of PEFT's methods (task_type SEQ_CLS) and the whole model. A case NAME has NAME/adapter (PEFT's two files, random) and
NAME/golden.safetensors:
  logits      of the rows "probe" of run.json
  start       the head that is trained with the whole model, before
  after.KEY   what is trained after ten steps, under the model's names
and its entry in cases.json: base, which rows of run.json are trained on, and the losses. Rows are padded at the right.
PEFT's prompt tuning reads the class off the last position, padding or not, and so has rows of one length a batch.
"""

import json
import os
import pathlib
import shutil
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification

import make_method_fixtures
import tiny_models

CASES = {
    "lora": ("llama", "padded", LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"])),
    "lora_gpt2": ("gpt2", "padded", LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=4, fan_in_fan_out=True)),
    "ia3": ("llama", "padded", IA3Config(task_type="SEQ_CLS")),
    "prompt": ("llama", "even", PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4)),
    "prefix": ("llama", "padded", PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4)),
    "prefix_projected": (
        "llama",
        "padded",
        PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3, prefix_projection=True, encoder_hidden_size=12),
    ),
    "whole": ("llama", "padded", None),
    "whole_gpt2": ("gpt2", "padded", None),
}


def rows(seed, even):
    generator = torch.Generator().manual_seed(seed)
    result = []
    for _ in range(make_method_fixtures.STEPS):
        lengths = torch.randint(5, 13, (1,), generator=generator).repeat(2) if even else None
        lengths = torch.randint(5, 13, (2,), generator=generator) if lengths is None else lengths
        ids = torch.full((2, int(lengths.max())), 3)
        for row, length in enumerate(lengths.tolist()):
            ids[row, :length] = torch.randint(4, tiny_models.VOCABULARY, (length,), generator=generator)
        result.append((ids, torch.randint(0, 3, (2,), generator=generator)))
    return result


def load(methods, base):
    torch.manual_seed(5)
    model = AutoModelForSequenceClassification.from_pretrained(methods / base, num_labels=3, dtype=torch.float32).eval()
    with torch.no_grad():
        model.score.weight.normal_(std=0.3)
    return model


@torch.no_grad()
def logits(model):
    ids = tiny_models.token_rows(2, 10, 5)
    return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.contiguous()


def train(model, batches):
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=make_method_fixtures.LEARNING_RATE, weight_decay=0.0)
    losses = []
    model.train()
    for ids, labels in batches:
        loss = model(input_ids=ids, attention_mask=(ids != 3).long(), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return losses


def case(folder, methods, base, batches, config):
    model = load(methods, base)
    golden = {"start": model.score.weight.detach().clone()}
    plain = logits(model)
    if config is not None:
        torch.manual_seed(3)
        model = get_peft_model(model, config)
        tiny_models.randomise_adapter(model, 4)
        model.save_pretrained(folder / "adapter")
        if getattr(config, "prefix_projection", False):
            state = {key.replace(".default", ""): p.detach() for key, p in model.named_parameters() if p.requires_grad}
            save_file(
                {key.replace("base_model.score.modules_to_save", "score"): v for key, v in state.items()},
                folder / "adapter" / "prompt_encoder.safetensors",
            )
        make_method_fixtures.tidy(folder / "adapter", base)
        loaded = PeftModel.from_pretrained(load(methods, base), folder / "adapter").eval()
        golden["logits"] = logits(loaded)
        assert (golden["logits"] - plain).abs().max() > 0.01 * plain.abs().max()
    else:
        golden["logits"] = plain
    losses = train(model, batches)
    for key, p in model.named_parameters():
        if p.requires_grad:
            golden[f"after.{key.replace('.default', '')}"] = p.detach().clone()
    save_file(golden, folder / "golden.safetensors")
    return losses


def main(out, methods):
    torch.set_num_threads(1)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    batches = {"padded": rows(11, False), "even": rows(12, True)}
    cases = {}
    for name, (base, kind, config) in CASES.items():
        folder = out / name
        folder.mkdir()
        losses = case(folder, methods, base, batches[kind], config)
        cases[name] = {"base": base, "rows": kind, "losses": losses}
        print(f"{name}: losses {losses[0]:.4f} .. {losses[-1]:.4f}", flush=True)
    written = {
        kind: [{"input_ids": ids.tolist(), "labels": labels.tolist()} for ids, labels in some]
        for kind, some in batches.items()
    }
    probe = tiny_models.token_rows(2, 10, 5).tolist()
    lines = json.dumps({"learning_rate": make_method_fixtures.LEARNING_RATE, "probe": probe, **written})
    (out / "run.json").write_text(lines + "\n")
    (out / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main(*(pathlib.Path(argument).resolve() for argument in sys.argv[1:]))
