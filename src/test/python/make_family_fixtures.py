"""Makes src/test/resources/families: python make_family_fixtures.py ../resources/families [CASE...]

Needs torch 2.13.0, transformers 5.23.0, peft 0.21.2 and safetensors 0.8.0. For each case of family_models.py a
directory with

- config.json and model.safetensors, as transformers saves them;
- adapter/: a LoRA adapter of all linear layers with random A and B, as PEFT saves it;
- expected.safetensors: `ids`, the fp32 `logits` and `loss` of the model, `short_logits` of the first 10 tokens,
  `prompt` and what is `generated` after it, greedily and with a cache; `logits` and `loss` with the adapter as
  `adapter_logits` and `adapter_loss`, and the loss's gradients, by the adapter's tensors, as `gradient.NAME`.

Rows are longer than the windows and the original lengths. Everything runs on one thread.
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

import family_models

SHORT = 10


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        if parameter.requires_grad:
            parameter.data.copy_(0.15 * torch.randn(parameter.shape, generator=generator))


def lora(model):
    conv1d = model.config.model_type == "gpt2"
    return get_peft_model(
        model,
        LoraConfig(
            task_type="CAUSAL_LM", r=2, lora_alpha=3, lora_dropout=0.0, target_modules="all-linear", fan_in_fan_out=conv1d
        ),
    )


@torch.no_grad()
def generated(model, prompt):
    """What follows greedily; None if a choice is a close one."""
    model.generation_config.eos_token_id = None
    result = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=family_models.LENGTH - SHORT,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    for step in result.logits:
        best, second = step[0].topk(2).values
        if best - second < 1e-3 * best.abs():
            return None
    return result.sequences[:, prompt.shape[1] :].contiguous()


def first_clear(model, seed):
    for attempt in range(100):
        prompt = family_models.rows(seed + 1000 * attempt, 1, SHORT)
        answer = generated(model, prompt)
        if answer is not None:
            return {"prompt": prompt, "generated": answer}
    raise ValueError("only close calls")


def case(out, settings, seed):
    model = family_models.build(settings, seed)
    ids = family_models.rows(seed)
    model.save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)
    expected = {"ids": ids}
    with torch.no_grad():
        expected["short_logits"] = model(ids[:, :SHORT]).logits.contiguous()
        result = model(ids, labels=ids)
    expected |= {"logits": result.logits.contiguous(), "loss": result.loss.reshape(1)}
    expected |= first_clear(model, seed)

    adapted = lora(model)
    randomise(adapted, seed)
    adapted.save_pretrained(out / "adapter")
    (out / "adapter" / "README.md").unlink()
    saved = out / "adapter" / "adapter_config.json"
    config = json.loads(saved.read_text())
    config["target_modules"].sort()
    config["base_model_name_or_path"] = out.name
    saved.write_text(json.dumps(config, indent=2, sort_keys=True))

    result = adapted(ids, labels=ids)
    result.loss.backward()
    expected |= {"adapter_logits": result.logits.detach().contiguous(), "adapter_loss": result.loss.detach().reshape(1)}
    moved = (expected["adapter_logits"] - expected["logits"]).abs().max() / expected["logits"].abs().max()
    assert moved > 0.01, moved
    for name, parameter in adapted.named_parameters():
        if parameter.requires_grad:
            expected["gradient." + name.replace(".default", "")] = parameter.grad.contiguous()
    save_file(expected, out / "expected.safetensors")


def main(out, names):
    torch.set_num_threads(1)
    for seed, (name, settings) in enumerate(family_models.CASES.items()):
        if names and name not in names:
            continue
        directory = out / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        case(directory, settings, 100 + seed)
        print(name, sum(f.stat().st_size for f in directory.rglob("*") if f.is_file()))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:])
