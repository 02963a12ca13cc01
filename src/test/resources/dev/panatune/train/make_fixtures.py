"""Makes the fixtures of this directory with the pinned torch and transformers.

    OMP_NUM_THREADS=1 python src/test/resources/dev/panatune/train/make_fixtures.py
"""

import json
import pathlib

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, get_scheduler

HERE = pathlib.Path(__file__).parent


def schedules():
    """Learning rates of every update, for the schedulers that Panatune has."""
    cases = []
    for name in ("linear", "cosine", "constant", "constant_with_warmup"):
        for warmup, total in ((0, 7), (3, 10), (5, 5), (20, 12), (1, 1)):
            optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
            scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total)
            rates = []
            for _ in range(total):
                rates.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                scheduler.step()
            cases.append({"type": name, "lr": 3e-4, "warmup": warmup, "total": total, "rates": rates})
    (HERE / "schedules.json").write_text(json.dumps(cases, indent=1) + "\n")


def adamw():
    """Five clipped AdamW steps on three parameters, of which one is not decayed."""
    torch.manual_seed(1)
    values = {
        "layer.weight": torch.randn(3, 5),
        "norm.weight": 1 + 0.1 * torch.randn(5),
        "other.weight": torch.randn(7) * 10,
    }
    parameters = {name: torch.nn.Parameter(value.clone()) for name, value in values.items()}
    decayed = [p for name, p in parameters.items() if name != "norm.weight"]
    groups = [
        {"params": decayed, "weight_decay": 0.1},
        {"params": [parameters["norm.weight"]], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(0.8, 0.99), eps=1e-6, fused=True)
    steps = []
    for step in range(5):
        rate = 0.1 / (step + 1)
        # Norms from far below to far above the limit of 1.
        gradients = {name: torch.randn_like(p) * 10.0 ** (step - 3) for name, p in parameters.items()}
        for name, parameter in parameters.items():
            parameter.grad = gradients[name].clone()
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        steps.append(
            {
                "rate": rate,
                "gradients": {name: g.flatten().tolist() for name, g in gradients.items()},
                "norm": norm.item(),
                "values": {name: p.detach().flatten().tolist() for name, p in parameters.items()},
            }
        )
    fixture = {
        "shapes": {name: list(value.shape) for name, value in values.items()},
        "values": {name: value.flatten().tolist() for name, value in values.items()},
        "steps": steps,
    }
    (HERE / "adamw.json").write_text(json.dumps(fixture) + "\n")


def lora_run():
    """Twenty float32 updates of a LoRA adapter, each of two micro-batches of three rows."""
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=61,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.2,
        tie_word_embeddings=False,
        attn_implementation="eager",
    )
    base = LlamaForCausalLM(config)
    for name, parameter in base.named_parameters():
        if name.endswith("norm.weight"):
            parameter.data += 0.2 * torch.randn_like(parameter)
    directory = HERE / "lora_run"
    directory.mkdir(exist_ok=True)
    save_file({k: v.contiguous() for k, v in base.state_dict().items()}, directory / "model.safetensors")
    (directory / "config.json").write_text(json.dumps(config.to_dict(), indent=1, default=str) + "\n")

    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    for parameter in trained.values():
        parameter.data = 0.1 * torch.randn_like(parameter)
    save_adapter(model, directory / "before")

    generator = torch.Generator().manual_seed(3)
    rows = []
    for _ in range(120):
        length = int(torch.randint(4, 20, (1,), generator=generator))
        ids = torch.randint(0, 61, (length,), generator=generator).tolist()
        prompt = int(torch.randint(1, length, (1,), generator=generator))
        rows.append({"ids": ids, "labels": [-100] * prompt + ids[prompt:]})

    decayed = [p for name, p in trained.items()]
    optimizer = torch.optim.AdamW(decayed, lr=1e-2, weight_decay=0.1)
    scheduler = get_scheduler("cosine", optimizer, num_warmup_steps=4, num_training_steps=20)
    steps = []
    model.train()
    for step in range(20):
        step_rows = rows[6 * step : 6 * step + 6]
        targets = sum(label != -100 for row in step_rows for label in row["labels"][1:])
        total = 0.0
        for batch in (step_rows[:3], step_rows[3:]):
            width = max(len(row["ids"]) for row in batch)
            ids = torch.tensor([row["ids"] + [0] * (width - len(row["ids"])) for row in batch])
            mask = torch.tensor([[1] * len(row["ids"]) + [0] * (width - len(row["ids"])) for row in batch])
            labels = torch.tensor([row["labels"] + [-100] * (width - len(row["labels"])) for row in batch])
            logits = model(input_ids=ids, attention_mask=mask).logits
            loss = torch.nn.functional.cross_entropy(
                logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100, reduction="sum"
            )
            (loss / targets).backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        steps.append({"loss": total / targets, "grad_norm": norm.item()})
    save_adapter(model, directory / "after")
    (directory / "run.json").write_text(json.dumps({"rows": rows, "steps": steps}) + "\n")


def save_adapter(model, directory):
    model.save_pretrained(directory)
    (directory / "README.md").unlink()
    config = json.loads((directory / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = None
    config["target_modules"].sort()
    (directory / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    schedules()
    adamw()
    lora_run()
