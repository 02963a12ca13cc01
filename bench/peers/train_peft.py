"""Training steps of PEFT's LoRA, on a dense base or on bitsandbytes' NF4 with double quantisation.

    python train_peft.py '{"model": DIR, "quantized": false, "dtype": "bfloat16", "batch": 4, "length": 512, ...}'

`bin/panatune bench train` writes the job. A step is what transformers' Trainer makes of it: forward and loss (under
autocast where the dtype is bfloat16), backward, clipping to a norm of 1, AdamW; the trainer's own bookkeeping is left
out, in PEFT's favour. Of the job's keys, `compiled` asks for torch.compile, `bf16_adapters` for adapters in bfloat16
instead of float32.
"""

import contextlib
import time

import side

JOB = side.job()


def adapt(base):
    from peft import LoraConfig, get_peft_model

    if JOB["checkpointing"]:
        base.gradient_checkpointing_enable({"use_reentrant": False})
        base.enable_input_require_grads()
    base.config.use_cache = False
    options = LoraConfig(
        task_type="CAUSAL_LM", r=JOB["rank"], lora_alpha=2 * JOB["rank"], target_modules="all-linear"
    )
    return get_peft_model(base, options, autocast_adapter_dtype=not JOB.get("bf16_adapters", False))


def main():
    import torch

    torch.set_num_threads(JOB["threads"])
    torch.manual_seed(42)
    model = adapt(side.load(JOB))
    loaded = time.time()
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=JOB["learning_rate"], weight_decay=0.0)
    ids = torch.randint(0, model.config.vocab_size, (JOB["batch"], JOB["length"]))
    run = torch.compile(model) if JOB.get("compiled") else model

    ends, losses = [], []
    for _ in range(JOB["steps"]):
        mixed = JOB["dtype"] == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16) if mixed else contextlib.nullcontext():
            loss = run(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        ends.append(time.time())
    result = {
        "load_seconds": loaded - JOB["started"],
        "first_step_seconds": ends[0] - JOB["started"],
        "step_seconds": [after - before for before, after in zip(ends, ends[1:])],
        "losses": losses,
        "threads": torch.get_num_threads(),
        "adapter_dtype": str(trained[0].dtype),
    }
    side.tell(result, "torch", "transformers", "peft", *(["bitsandbytes"] if JOB["quantized"] else []))


main()
