"""Makes src/test/resources/methods: python make_method_fixtures.py ../resources/methods [NAME ...]

The methods of PEFT 0.21.2 other than LoRA, on tiny bases: what PEFT saves, and what it computes with that. Needs torch
2.13.0, transformers 5.23.0, peft 0.21.2, bitsandbytes 0.50.2 and safetensors 0.8.0. Seeded, on one thread; on another CPU
the last bits may differ. With names, only those cases are made again.

A case NAME has the folder NAME/adapter (PEFT's two files, and of a projected prefix the parameters of the projection) and NAME/golden.safetensors:
  logits          with the adapter, on the rows "probe" of run.json, [B, T, V]
  merged          after merge_and_unload, where the method has that
  unmerged        after merge_adapter and unmerge_adapter, with the adapter disabled
  start           the fresh virtual tokens of prompt tuning, before they were made random
  generated       12 tokens, greedily, after the first row of "probe" (methods with virtual tokens)
  after.KEY       the trained tensors after ten steps, under the model's names
and its entry in cases.json: base, quantisation, and the losses of those ten steps. defaults.json has what PEFT's
configurations say by default.
"""

import functools
import os
import pathlib
import shutil
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig

import adapter_cases
import tiny_models

CONFIGS = {"ia3": IA3Config, "prompt": PromptTuningConfig, "prefix": PrefixTuningConfig}

CASES = {
    "ia3_default": {"method": "ia3"},
    "ia3_regex": {
        "method": "ia3",
        "target_modules": r".*\.(q_proj|o_proj|up_proj|gate_proj)",
        "feedforward_modules": r".*(o_proj|layers\.1\.mlp\.up_proj)",
        "exclude_modules": ["layers.0.self_attn.q_proj"],
        "init_ia3_weights": False,
    },
    "ia3_modules_to_save": {
        "method": "ia3",
        "target_modules": ["k_proj", "down_proj"],
        "feedforward_modules": [],
        "modules_to_save": ["lm_head"],
    },
    "ia3_nf4": {"method": "ia3", "quant": ("nf4", True), "merged": False},
    "prompt_random": {"method": "prompt", "num_virtual_tokens": 5},
    "prompt_text": {
        "method": "prompt",
        "num_virtual_tokens": 7,
        "prompt_tuning_init": "TEXT",
        "prompt_tuning_init_text": "the quick brown fox",
    },
    "prompt_sample": {"method": "prompt", "num_virtual_tokens": 3, "prompt_tuning_init": "SAMPLE_VOCAB"},
    "prompt_nf4": {"method": "prompt", "num_virtual_tokens": 4, "quant": ("nf4", True)},
    "prompt_gpt2": {"method": "prompt", "num_virtual_tokens": 4, "base": "gpt2"},
    "prefix": {"method": "prefix", "num_virtual_tokens": 4},
    "prefix_projected": {
        "method": "prefix",
        "num_virtual_tokens": 5,
        "prefix_projection": True,
        "encoder_hidden_size": 12,
    },
    "prefix_projected_default": {"method": "prefix", "num_virtual_tokens": 2, "prefix_projection": True},
    "prefix_nf4": {"method": "prefix", "num_virtual_tokens": 3, "quant": ("nf4", True)},
    "prefix_gpt2": {"method": "prefix", "num_virtual_tokens": 4, "base": "gpt2"},
    "ia3_gpt2": {"method": "ia3", "base": "gpt2"},
    "ia3_second": {
        "method": "ia3",
        "target_modules": ["q_proj", "k_proj", "down_proj"],
        "feedforward_modules": ["down_proj"],
    },
}
OWN_KEYS = ("method", "quant", "merged", "base")


def llama():
    """Grouped-query attention, biases, heads that are wider than hidden / heads."""
    return LlamaConfig(
        vocab_size=tiny_models.VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=64,
        rms_norm_eps=1e-3,
        attention_bias=True,
        mlp_bias=True,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        initializer_range=0.2,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=3,
    )


def bases(out):
    tiny_models.save(tiny_models.random_model(llama(), 1), out / "llama", torch.float32)
    tiny_models.save(tiny_models.random_model(tiny_models.gpt2_config(), 3), out / "gpt2", torch.float32)


def load(out, case):
    options = tiny_models.quantization(*case["quant"]) if "quant" in case else {}
    return AutoModelForCausalLM.from_pretrained(out / case.get("base", "llama"), dtype=torch.float32, **options).eval()


def batches():
    return adapter_cases.batches(tiny_models.VOCABULARY, 0)


def probe():
    return tiny_models.token_rows(2, 10, 5)


@torch.no_grad()
def logits(model):
    return model(probe()).logits.float().contiguous()


@torch.no_grad()
def generated(model):
    """Twelve tokens after the first row, greedily, through the cache; nothing ends the text."""
    ids = probe()[:1]
    model.generation_config.eos_token_id = model.base_model.generation_config.eos_token_id = None
    options = {"max_new_tokens": 12, "do_sample": False}
    result = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)
    assert result.shape[1] == ids.shape[1] + 12
    return result[0, -12:].clone()


def config(out, case):
    options = {key: value for key, value in case.items() if key not in OWN_KEYS}
    if "prompt_tuning_init_text" in options:
        options["tokenizer_name_or_path"] = str(out / "llama")
    return CONFIGS[case["method"]](task_type="CAUSAL_LM", **options)


def case(out, name, options, seed):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    base = logits(load(out, options))
    torch.manual_seed(seed)
    model = get_peft_model(load(out, options), config(out, options))
    golden = {}
    if options["method"] == "prompt":
        golden["start"] = model.get_prompt_embedding_to_save("default").clone()
    tiny_models.randomise_adapter(model, seed)
    model.save_pretrained(folder / "adapter")
    fresh = model
    if options.get("prefix_projection"):
        state = {key.replace(".default", ""): p.detach() for key, p in model.named_parameters() if p.requires_grad}
        save_file(state, folder / "adapter" / "prompt_encoder.safetensors")
    adapter_cases.tidy(folder / "adapter", options.get("base", "llama"))
    model = PeftModel.from_pretrained(load(out, options), folder / "adapter").eval()
    golden["logits"] = logits(model)
    moved = adapter_cases.moved(golden["logits"][:, -10:], base, name)
    if options["method"] in ("prompt", "prefix"):
        golden["generated"] = generated(model)
    elif options.get("merged", True):
        model.merge_adapter()
        model.unmerge_adapter()
        with model.disable_adapter():
            golden["unmerged"] = logits(model)
        golden["merged"] = logits(model.merge_and_unload().eval())
    if options["method"] in ("prompt", "prefix"):
        model = fresh  # PEFT does not train on what it loaded
    else:
        model = PeftModel.from_pretrained(load(out, options), folder / "adapter", is_trainable=True)
    losses = adapter_cases.train(model, batches())
    trained = {key: p.detach() for key, p in model.named_parameters() if p.requires_grad}
    golden.update({f"after.{key.replace('.default', '')}": value.clone() for key, value in trained.items()})
    save_file(golden, folder / "golden.safetensors")
    print(f"{name}: moves {moved:.3f}, losses {losses[0]:.4f} .. {losses[-1]:.4f}", flush=True)
    entry = {"base": options.get("base", "llama"), "losses": losses}
    return {**({"quant": options["quant"]} if "quant" in options else {}), **entry}


def defaults():
    """What PEFT's configurations say where nothing is said to them; what a file leaves out is read as that."""
    configs = [kind() for kind in (LoraConfig, IA3Config, PromptTuningConfig, PrefixTuningConfig)]
    return {config.peft_type.value: dict(sorted(config.to_dict().items())) for config in configs}


def main(out, names):
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    if not names:
        bases(out)
        adapter_cases.write_run(out, probe(), batches())
        adapter_cases.write_json(out / "defaults.json", defaults())
    adapter_cases.make(out, names, CASES, functools.partial(case, out), 200)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:])
