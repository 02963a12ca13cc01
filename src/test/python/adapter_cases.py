"""What the scripts that make fixtures of adapters share: the rows, ten steps of training, and the files beside the cases.

Each script has CASES, options by name, and makes of a case the folder NAME/adapter (what Python saves), the file
NAME/golden.safetensors (what Python computes with it) and an entry in cases.json.
"""

import json

import torch

STEPS = 10
LEARNING_RATE = 5e-3
PADDING = 3


def batches(vocabulary, shortest_prompt, seed=7, rows=2):
    """Right-padded rows of differing lengths for all steps; the first tokens of a row, from `shortest_prompt` to three, and the padding are no targets."""
    generator = torch.Generator().manual_seed(seed)
    result = []
    for _ in range(STEPS):
        lengths = torch.randint(6, 13, (rows,), generator=generator).tolist()
        ids = torch.full((rows, max(lengths)), PADDING)
        labels = torch.full_like(ids, -100)
        for row, length in enumerate(lengths):
            tokens = torch.randint(4, vocabulary, (length,), generator=generator)
            prompt = int(torch.randint(shortest_prompt, 4, (1,), generator=generator))
            ids[row, :length] = tokens
            labels[row, prompt:length] = tokens[prompt:]
        result.append((ids, labels))
    return result


def own_loss(model, ids, labels):
    """The model's own loss, the mean over a step's targets."""
    return model(input_ids=ids, attention_mask=(ids != PADDING).long(), labels=labels).loss


def train(model, rows, loss=own_loss):
    """Steps of AdamW on what is trainable, with PyTorch's defaults but weight decay; returns the losses."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    losses = []
    model.train()
    for ids, labels in rows:
        value = loss(model, ids, labels)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(value.item())
    return losses


def moved(logits, base, name):
    """How far an adapter moves the logits, of their largest; one that hardly does proves nothing."""
    share = ((logits - base).abs().max() / base.abs().max()).item()
    assert share > 0.01, f"{name} moves the logits by {share} only"
    return share


def tidy(directory, base):
    """Makes a saved adapter the same wherever it is made: sets have no order, and the base's folder has another name elsewhere."""
    (directory / "README.md").unlink(missing_ok=True)
    path = directory / "adapter_config.json"
    settings = json.loads(path.read_text())
    settings["base_model_name_or_path"] = base
    if settings.get("tokenizer_name_or_path"):
        settings["tokenizer_name_or_path"] = base
    for key in ("target_modules", "exclude_modules", "feedforward_modules"):
        if isinstance(settings.get(key), list):
            settings[key].sort()
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")


def make(out, names, cases, case, first_seed):
    """Makes all cases, or those that are named, and writes the index; `case` takes a name, its options and a seed."""
    index = out / "cases.json"
    entries = json.loads(index.read_text()) if names else {}
    for seed, (name, options) in enumerate(cases.items(), first_seed):
        if not names or name in names:
            entries[name] = case(name, options, seed)
    write_json(index, {name: entries[name] for name in cases if name in entries})


def write_run(out, probe, rows, **more):
    """Writes run.json: what is computed and trained on."""
    write_json(
        out / "run.json",
        {
            "learning_rate": LEARNING_RATE,
            **more,
            "probe": probe.tolist(),
            "batches": [{"input_ids": ids.tolist(), "labels": labels.tolist()} for ids, labels in rows],
        },
    )


def write_json(path, value):
    """One line an entry."""
    lines = [f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
