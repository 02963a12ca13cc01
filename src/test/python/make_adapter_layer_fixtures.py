"""Makes src/test/resources/adapter_layers: python make_adapter_layer_fixtures.py ../resources/adapter_layers [NAME ...]

Bottleneck adapters of AdapterHub's `adapters` 1.2.0, which needs an environment of its own: torch 2.13.0, transformers
4.51.3 and safetensors 0.8.0. Seeded, on one thread; on another CPU the last bits may differ. A case is laid out as in
make_method_fixtures.py, on GPT-2: with this torch, `adapters` computes other logits for Llama than transformers does,
even with no adapter in the model, so there is nothing to compare that with; Mistral's were not looked into. The folder
"adapter" has adapter_config.json and the weights as adapter.safetensors, or, where that cannot be (a norm before has
two names) or is not asked for, as pytorch_adapter.bin.
"""

import json
import os
import pathlib
import shutil
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import adapters
import torch
from adapters import BnConfig, DoubleSeqBnConfig, ParBnConfig, SeqBnConfig
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
)

VOCABULARY = 96
STEPS = 10
LEARNING_RATE = 5e-3
NAME = "bn"

CASES = {
    "seq_bn": ("gpt2", SeqBnConfig(reduction_factor=4)),
    "double_seq_bn": ("gpt2", DoubleSeqBnConfig(reduction_factor=8)),
    "par_bn": ("gpt2", ParBnConfig(reduction_factor=2)),
    "seq_bn_norms": (
        "gpt2",
        SeqBnConfig(reduction_factor=4, ln_before=True, ln_after=True, scaling="learned", mh_adapter=True),
    ),
    "seq_bn_residuals": (
        "gpt2",
        SeqBnConfig(
            reduction_factor={"0": 4, "default": 2.5},
            non_linearity="tanh",
            residual_before_ln=False,
            adapter_residual_before_ln=True,
            ln_after=True,
            scaling="channel",
            original_ln_after=False,
        ),
    ),
    "attention_only": (
        "gpt2",
        BnConfig(
            mh_adapter=True,
            output_adapter=False,
            reduction_factor=4,
            non_linearity="leakyrelu",
            leave_out=[0],
            scaling=0.7,
            init_weights="houlsby",
        ),
    ),
    "par_bn_norm": ("gpt2", ParBnConfig(mh_adapter=True, ln_after=True, non_linearity="gelu", scaling="channel")),
    "sigmoid": ("gpt2", DoubleSeqBnConfig(reduction_factor=4, non_linearity="sigmoid")),
    "gpt2_seq": ("gpt2", SeqBnConfig(reduction_factor=4, non_linearity="gelu_new")),
    "gpt2_double": ("gpt2", DoubleSeqBnConfig(reduction_factor=4, original_ln_before=True)),
    "gpt2_par": ("gpt2", ParBnConfig(reduction_factor=4, mh_adapter=True)),
}
ARCHIVES = {"seq_bn_norms", "gpt2_double"}


def bases(out):
    gpt2 = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=4,
        initializer_range=0.2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=3,
    )
    models = {
        "gpt2": (GPT2LMHeadModel, gpt2),
    }
    for seed, (name, (kind, config)) in enumerate(models.items()):
        torch.manual_seed(seed)
        model = kind(config).eval()
        for key, parameter in model.named_parameters():
            if (".ln_" in key or "norm" in key) and key.endswith(".weight"):
                torch.nn.init.uniform_(parameter, 0.5, 1.5)
            elif key.endswith(".bias"):
                torch.nn.init.normal_(parameter, std=0.2)
        model.save_pretrained(out / name)


def load(out, base):
    model = AutoModelForCausalLM.from_pretrained(out / base, torch_dtype=torch.float32, attn_implementation="eager")
    adapters.init(model)
    return model.eval()


def batches(seed, steps, rows=2):
    """Right-padded rows of differing lengths; the first tokens of most rows and the padding are no targets."""
    generator = torch.Generator().manual_seed(seed)
    result = []
    for _ in range(steps):
        lengths = torch.randint(6, 13, (rows,), generator=generator).tolist()
        ids = torch.full((rows, max(lengths)), 3)
        labels = torch.full_like(ids, -100)
        for row, length in enumerate(lengths):
            tokens = torch.randint(4, VOCABULARY, (length,), generator=generator)
            prompt = int(torch.randint(0, 4, (1,), generator=generator))
            ids[row, :length] = tokens
            labels[row, prompt:length] = tokens[prompt:]
        result.append((ids, labels))
    return result


def probe():
    return torch.randint(4, VOCABULARY, (2, 10), generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def logits(model):
    return model(probe()).logits.float().contiguous()


def randomise(model, seed):
    """Fresh adapters are nearly identities."""
    generator = torch.Generator().manual_seed(seed)
    for _, parameter in sorted(model.named_parameters()):
        if parameter.requires_grad:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.data.copy_(parameter.data * 0.5 + 0.15 * noise)


def train(model):
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    losses = []
    model.train()
    for ids, labels in batches(7, STEPS):
        loss = model(input_ids=ids, attention_mask=(ids != 3).long(), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return losses


def case(out, name, base, config, seed):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    without = logits(load(out, base))
    torch.manual_seed(seed)
    model = load(out, base)
    model.add_adapter(NAME, config=config)
    model.train_adapter(NAME)
    randomise(model, seed)
    folder.mkdir(parents=True)
    model.save_adapter(str(folder / "adapter"), NAME, with_head=False, use_safetensors=name not in ARCHIVES)
    path = folder / "adapter" / "adapter_config.json"
    settings = {**json.loads(path.read_text()), "model_name": ""}
    path.write_text(json.dumps(settings, indent=2, sort_keys=True))
    golden = {"logits": logits(model.eval())}
    moved = ((golden["logits"] - without).abs().max() / without.abs().max()).item()
    assert moved > 0.01, f"{name} moves the logits by {moved} only"
    losses = train(model)
    trained = {f"after.{key}": p.detach().clone() for key, p in model.named_parameters() if p.requires_grad}
    save_file({**golden, **trained}, folder / "golden.safetensors")
    print(f"{name}: moves {moved:.3f}, losses {losses[0]:.4f} .. {losses[-1]:.4f}", flush=True)
    return {"base": base, "losses": losses}


def write_json(path, value):
    """One line an entry."""
    lines = [f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def check(base, adapter):
    """What was saved here loads there: prints the logits' largest difference from a golden file."""
    from safetensors.torch import load_file

    model = AutoModelForCausalLM.from_pretrained(base, torch_dtype=torch.float32, attn_implementation="eager")
    adapters.init(model)
    name = model.load_adapter(str(adapter), use_safetensors=True, with_head=False)
    model.set_active_adapters(name)
    golden = load_file(adapter.parent / "golden.safetensors")["logits"]
    print((logits(model.eval()) - golden).abs().max().item() / golden.abs().max().item())


def main(out, names):
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    if not names:
        bases(out)
        write_json(
            out / "run.json",
            {
                "learning_rate": LEARNING_RATE,
                "probe": probe().tolist(),
                "batches": [{"input_ids": i.tolist(), "labels": l.tolist()} for i, l in batches(7, STEPS)],
            },
        )
    index = out / "cases.json"
    entries = json.loads(index.read_text()) if names else {}
    for seed, (name, (base, config)) in enumerate(CASES.items()):
        if not names or name in names:
            entries[name] = case(out, name, base, config, 300 + seed)
    write_json(index, {name: entries[name] for name in CASES if name in entries})


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
    else:
        main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:])
