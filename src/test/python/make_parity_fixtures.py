"""Makes src/test/resources/parity: python make_parity_fixtures.py ../resources/parity

Needs torch 2.13.0, transformers 5.23.0, peft 0.21.2, bitsandbytes 0.50.2 and safetensors 0.8.0. Everything is seeded
and runs on one thread; on another CPU the last bits of floating-point results may differ. What each file is, is said in
the README beside the fixtures.
"""

import json
import os
import pathlib
import shutil
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
)

import tiny_models

STEPS = 20


def write_json(path, value):
    """One line an entry."""
    if isinstance(value, list):
        lines, ends = [json.dumps(entry) for entry in value], "[]"
    else:
        lines, ends = [f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()], "{}"
    path.write_text(ends[0] + "\n" + ",\n".join(lines) + "\n" + ends[1] + "\n")


def load(directory, dtype=torch.float32, **options):
    return AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, **options).eval()


@torch.no_grad()
def logits(model, ids):
    return model(ids).logits.contiguous()


def mean_loss(values, ids):
    """Of tokens 2..n of every row, in nats, softmax in fp32."""
    return cross_entropy(values[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten()).item()


def plain_model(out, name, model, dtype, ids):
    """The model's directory, its fp32 and bf16 logits, and the losses."""
    tiny_models.save(model, out / name, dtype)
    exact = logits(load(out / name), ids)
    rounded = logits(load(out / name, torch.bfloat16), ids)
    save_file({"input_ids": ids, "float32": exact, "bfloat16": rounded}, out / f"{name}_logits.safetensors")
    return {"float32": mean_loss(exact, ids), "bfloat16": mean_loss(rounded, ids)}


@torch.no_grad()
def greedy(directory, prompt, new_tokens, penalty):
    model = load(directory)
    ids = torch.tensor([prompt])
    result = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=new_tokens,
        do_sample=False,
        repetition_penalty=penalty,
        output_logits=True,
        return_dict_in_generate=True,
    )
    assert result.sequences.shape[1] == len(prompt) + new_tokens, "an end token: take another seed"
    margins = [step[0].float().topk(2).values for step in result.logits]
    return {
        "prompt_token_ids": prompt,
        "repetition_penalty": penalty,
        "token_ids": result.sequences[0, len(prompt) :].tolist(),
        "smallest_margin": min((best[0] - best[1]).item() for best in margins) if penalty == 1.0 else None,
    }


def adapter(out, base, name, config, seed, ids):
    """A random adapter of `base` and its logits; PEFT's files."""
    model = get_peft_model(load(out / base), config)
    tiny_models.randomise_adapter(model, seed)
    model.save_pretrained(out / name)
    (out / name / "README.md").unlink()
    saved = out / name / "adapter_config.json"
    settings = json.loads(saved.read_text())
    settings["base_model_name_or_path"] = base
    if isinstance(settings["target_modules"], list):
        settings["target_modules"].sort()
    saved.write_text(json.dumps(settings, indent=2, sort_keys=True))
    exact = logits(PeftModel.from_pretrained(load(out / base), out / name).eval(), ids)
    rounded = logits(PeftModel.from_pretrained(load(out / base, torch.bfloat16), out / name).eval(), ids)
    save_file({"input_ids": ids, "float32": exact, "bfloat16": rounded}, out / f"{name}_logits.safetensors")
    return {"float32": mean_loss(exact, ids), "bfloat16": mean_loss(rounded, ids)}


def chosen(model, modules):
    return {name: model.get_submodule(name).weight.data.clone() for name in modules}


def merged(out, base, name, modules):
    """Merged weights of some modules, in fp32 and in the stored bf16."""
    tensors = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = PeftModel.from_pretrained(load(out / base, dtype), out / name).merge_and_unload()
        for module, weight in chosen(model, modules).items():
            tensors[f"{str(dtype).removeprefix('torch.')}.{module}.weight"] = weight
    save_file(tensors, out / f"{name}_merged.safetensors")


def merged_4bit(out, base, name, modules, ids):
    """The 4-bit base with and without the adapter, and merged as PEFT does it, which quantises again."""
    quantisation = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )

    def quantised():
        return load(out / base, quantization_config=quantisation, device_map="cpu")

    tensors = {"input_ids": ids, "base_logits": logits(quantised(), ids)}
    model = PeftModel.from_pretrained(quantised(), out / name).eval()
    tensors["adapter_logits"] = logits(model, ids)
    model = model.merge_and_unload().eval()
    tensors["merged_logits"] = logits(model, ids)
    for module in modules:
        weight = model.get_submodule(module).weight
        tensors[f"{module}.weight"] = weight.data.clone()
        for key, value in weight.quant_state.as_dict(packed=True).items():
            tensors[f"{module}.weight.{key}"] = value.clone()
    save_file({key: value.contiguous() for key, value in tensors.items()}, out / f"{name}_4bit.safetensors")


def batches(seed):
    """Right-padded pairs of rows of differing lengths; the first tokens of a row and the padding are no targets."""
    generator = torch.Generator().manual_seed(seed)
    result = []
    for _ in range(STEPS):
        lengths = torch.randint(8, 17, (2,), generator=generator).tolist()
        ids = torch.full((2, max(lengths)), 3)
        labels = torch.full_like(ids, -100)
        for row, length in enumerate(lengths):
            tokens = torch.randint(4, tiny_models.VOCABULARY, (length,), generator=generator)
            prompt = int(torch.randint(1, 5, (1,), generator=generator))
            ids[row, :length] = tokens
            labels[row, prompt:length] = tokens[prompt:]
        result.append({"input_ids": ids.tolist(), "labels": labels.tolist()})
    return result


def train(model, rows, schedule, weight_decay):
    """STEPS steps of AdamW as transformers' Trainer takes them: the loss is the mean over a step's targets."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=weight_decay)
    scheduler = schedule(optimiser)
    log = {"loss": [], "grad_norm": [], "learning_rate": []}
    first_gradients = None
    model.train()
    for batch in rows:
        ids, labels = torch.tensor(batch["input_ids"]), torch.tensor(batch["labels"])
        mask = (torch.arange(ids.shape[1]) < (ids != 3).sum(1, keepdim=True)).long()
        values = model(ids, attention_mask=mask).logits
        loss = cross_entropy(values[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        loss.backward()
        if first_gradients is None:
            first_gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        log["learning_rate"].append(scheduler.get_last_lr()[0])
        log["grad_norm"].append(torch.nn.utils.clip_grad_norm_(parameters, 1.0).item())
        log["loss"].append(loss.item())
        optimiser.step()
        scheduler.step()
        optimiser.zero_grad()
    return log, first_gradients


def lora_runs(out, base, name):
    """From the random adapter, once with a constant rate, once with warm-up and cosine and weight decay."""
    rows = batches(7)
    schedules = {
        "constant": (lambda o: get_constant_schedule_with_warmup(o, 0), 0.0),
        "cosine": (lambda o: get_cosine_schedule_with_warmup(o, 3, STEPS), 0.01),
    }
    runs = {}
    for schedule, (make, decay) in schedules.items():
        model = PeftModel.from_pretrained(load(out / base), out / name, is_trainable=True)
        log, gradients = train(model, rows, make, decay)
        runs[schedule] = {"weight_decay": decay, "warmup_steps": 3 if schedule == "cosine" else 0, **log}
        if schedule == "constant":
            save_file(renamed(gradients), out / "lora_run_first_gradients.safetensors")
        weights = {key: p.data.clone() for key, p in model.named_parameters() if p.requires_grad}
        save_file(renamed(weights), out / f"lora_run_{schedule}.safetensors")
    settings = {"base": base, "adapter": name, "learning_rate": 1e-3, "max_grad_norm": 1.0, "pad_token_id": 3}
    write_json(out / "lora_run.json", {**settings, "runs": runs, "batches": rows})


def full_run(out, base):
    """The same steps over all parameters of the tied model: losses and the first gradients' norms."""
    model = load(out / base)
    rows = batches(8)
    log, gradients = train(model, rows, lambda o: get_constant_schedule_with_warmup(o, 0), 0.0)
    norms = {name: gradient.norm().item() for name, gradient in gradients.items()}
    settings = {"base": base, "learning_rate": 1e-3, "max_grad_norm": 1.0, "pad_token_id": 3}
    write_json(out / "full_run.json", {**settings, **log, "first_gradient_norms": norms, "batches": rows})


def renamed(tensors):
    """Names as in PEFT's files: without the adapter's own."""
    return {name.replace(".default", ""): tensor.contiguous() for name, tensor in tensors.items()}


def main(out):
    torch.set_num_threads(1)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    ids = tiny_models.token_rows(2, 16, 11)
    long_row = tiny_models.token_rows(1, 32, 12)
    losses = {
        "untied": plain_model(
            out, "untied", tiny_models.random_model(tiny_models.untied_config(), 1), torch.bfloat16, ids
        ),
        "tied": plain_model(
            out, "tied", tiny_models.random_model(tiny_models.tied_config(), 2), torch.float32, long_row
        ),
    }
    all_linear = LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, lora_dropout=0.0, target_modules="all-linear")
    losses["untied_adapter"] = adapter(out, "untied", "untied_adapter", all_linear, 3, ids)
    some = LoraConfig(
        task_type="CAUSAL_LM",
        r=3,
        lora_alpha=5,
        target_modules=r".*layers\.1\.(self_attn\.[qv]_proj|mlp\.down_proj)",
        bias="lora_only",
        modules_to_save=["norm"],
    )
    losses["tied_adapter"] = adapter(out, "tied", "tied_adapter", some, 4, long_row)
    write_json(out / "losses.json", losses)
    modules = ["model.layers.0.self_attn.k_proj", "model.layers.3.mlp.down_proj"]
    merged(out, "untied", "untied_adapter", modules)
    merged_4bit(out, "untied", "untied_adapter", modules, ids[:1])
    prompt = ids[0, :6].tolist()
    write_json(
        out / "greedy.json",
        [
            {"model": model, **greedy(out / model, prompt, 24, penalty)}
            for model, penalty in (("untied", 1.0), ("untied", 1.3), ("tied", 1.0))
        ],
    )
    lora_runs(out, "untied", "untied_adapter")
    full_run(out, "tied")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
