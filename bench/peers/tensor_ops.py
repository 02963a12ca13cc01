"""What TensorBenchmark measures, in Python: the least of five rounds, in nanoseconds."""

import json
import timeit

import torch

ROUNDS, CALLS = 5, 200_000


def nanoseconds(action):
    timeit.timeit(action, number=CALLS)
    return min(timeit.repeat(action, number=CALLS, repeat=ROUNDS)) / CALLS * 1e9


left, right = torch.ones(2, 2), torch.ones(2, 2)
print(
    json.dumps(
        {
            "torch": torch.__version__,
            "addAndFree": nanoseconds(lambda: torch.add(left, right)),
            "readMetadata": nanoseconds(lambda: left.size(1)),
        }
    )
)
