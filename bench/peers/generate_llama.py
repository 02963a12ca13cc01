"""Greedy generation by llama.cpp, from a GGUF file; `bin/panatune bench decode` writes the job."""

import time

import side
from llama_cpp import Llama

JOB = side.job()


def main():
    prompt, count = JOB["prompt"], JOB["new_tokens"]
    model = Llama(
        JOB["model"],
        n_ctx=len(prompt) + count,
        n_batch=len(prompt),
        n_threads=JOB["threads"],
        n_threads_batch=JOB["threads"],
        verbose=False,
    )
    loaded = time.time()

    def generate():
        """Seconds to the first token, seconds of the others, and all of them."""
        model.reset()
        start = time.perf_counter()
        tokens = model.generate(prompt, top_k=1, temp=0.0, repeat_penalty=1.0, reset=True)
        ids = [next(tokens)]
        first = time.perf_counter()
        while len(ids) < count:
            ids.append(next(tokens))
        return first - start, time.perf_counter() - first, ids

    prefill, decode = [], []
    for run in range(JOB["runs"] + 1):
        first, rest, ids = generate()
        if run:
            prefill.append(len(prompt) / first)
            decode.append((count - 1) / rest)
    result = {
        "load_seconds": loaded - JOB["started"],
        "threads": JOB["threads"],
        "prefill_tokens_per_second": prefill,
        "decode_tokens_per_second": decode,
        "token_ids": ids,
    }
    side.tell(result, "llama_cpp_python")


main()
