"""Makes src/test/resources/dropout.json: python make_dropout_fixtures.py ../resources

Ten steps of full fine-tuning in training mode, with dropout, by torch 2.13.0 and transformers 5.23.0 (eager attention) on
the models of src/test/resources/families: the losses. Masks come from the seeded CPU generator, one thread; whoever calls
the same operators in the same order has the same masks, and so the same losses.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import AutoModelForCausalLM

SEED, STEPS, LEARNING_RATE = 42, 10, 5e-3
CASES = {
    "gpt2": {"attn_pdrop": 0.2, "embd_pdrop": 0.1, "resid_pdrop": 0.15},
    "gpt_neox": {"attention_dropout": 0.15, "hidden_dropout": 0.2},
    "gpt_neox_serial": {"attention_dropout": 0.15, "hidden_dropout": 0.2},
    "phi3": {"attention_dropout": 0.2, "resid_pdrop": 0.1},
    "llama": {"attention_dropout": 0.3},
    "gemma2": {"attention_dropout": 0.25},
}


def batches():
    generator = torch.Generator().manual_seed(3)
    result = []
    for _ in range(STEPS):
        lengths = torch.randint(5, 12, (2,), generator=generator).tolist()
        result.append([torch.randint(4, 40, (length,), generator=generator).tolist() for length in lengths])
    return result


def train(model, rows):
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    losses = []
    model.train()
    torch.manual_seed(SEED)
    for texts in rows:
        width = max(map(len, texts))
        ids = torch.tensor([text + [0] * (width - len(text)) for text in texts])
        mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts])
        loss = model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return losses


def main(resources):
    torch.set_num_threads(1)
    rows = batches()
    cases = {}
    for name, dropouts in CASES.items():
        model = AutoModelForCausalLM.from_pretrained(
            resources / "families" / name, dtype=torch.float32, attn_implementation="eager", **dropouts
        )
        cases[name] = {"dropouts": dropouts, "losses": train(model, rows)}
        print(name, cases[name]["losses"], flush=True)
    written = {"seed": SEED, "learning_rate": LEARNING_RATE, "rows": rows, "cases": cases}
    (resources / "dropout.json").write_text(json.dumps(written) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
