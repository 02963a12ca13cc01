"""Greedy generation by transformers, dense or on bitsandbytes' NF4; `bin/panatune bench decode` and `bench load` write
the job. `runs: 0` loads the model and computes one token alone."""

import time

import side

JOB = side.job()


def main():
    import torch

    torch.set_num_threads(JOB["threads"])
    model = side.load(JOB).eval()
    loaded = time.time()
    prompt = torch.tensor([JOB["prompt"]])

    def generate(count):
        start = time.perf_counter()
        with torch.no_grad():
            ids = model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                do_sample=False,
                min_new_tokens=count,
                max_new_tokens=count,
                pad_token_id=0,
            )
        return time.perf_counter() - start, ids[0, prompt.shape[1] :].tolist()

    generate(1)
    result = {
        "load_seconds": loaded - JOB["started"],
        "first_token_seconds": time.time() - JOB["started"],
        "threads": torch.get_num_threads(),
    }
    if JOB["runs"]:
        prefill, decode = [], []
        for run in range(JOB["runs"] + 1):
            first, _ = generate(1)
            whole, ids = generate(JOB["new_tokens"])
            if run:
                prefill.append(len(JOB["prompt"]) / first)
                decode.append((JOB["new_tokens"] - 1) / (whole - first))
        result |= {"prefill_tokens_per_second": prefill, "decode_tokens_per_second": decode, "token_ids": ids}
    side.tell(result, "torch", "transformers", *(["bitsandbytes"] if JOB["quantized"] else []))


main()
