"""What all peers have in common: the job that is their one argument, and the result, their last line of output."""

import json
import pathlib
import sys


def job():
    return json.loads(sys.argv[1])


def memory(field):
    """A field of the kernel's word on this process, in bytes; VmHWM is the peak, mapped pages included."""
    status = pathlib.Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field + ":"))


def load(job):
    """The model of a job: dense, or quantised by bitsandbytes to NF4 with double quantisation."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = getattr(torch, job["dtype"])
    quantisation = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return AutoModelForCausalLM.from_pretrained(
        job["model"],
        dtype=dtype,
        quantization_config=quantisation if job["quantized"] else None,
        device_map="cpu" if job["quantized"] else None,
    )


def tell(result, *packages):
    import importlib.metadata

    result["peak_rss_bytes"] = result.get("peak_rss_bytes", memory("VmHWM"))
    result["versions"] = {name: importlib.metadata.version(name) for name in packages}
    print(json.dumps(result), flush=True)
