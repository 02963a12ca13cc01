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


if __name__ == "__main__":
    schedules()
