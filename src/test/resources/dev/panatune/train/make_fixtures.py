"""Makes the fixtures of this directory with the pinned torch and transformers.

    OMP_NUM_THREADS=1 python src/test/resources/dev/panatune/train/make_fixtures.py
"""

import json
import pathlib

import torch
from transformers import get_scheduler

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


if __name__ == "__main__":
    schedules()
    adamw()
