"""Makes src/test/resources/lora/several: python make_adapters_fixtures.py ../resources/lora

Several adapters on one model, as PEFT 0.21.2 has them: active together, chosen by row, merged, combined, saved. The
adapters are those that make_lora_fixtures.py made, which runs first. Writes

  several/logits.safetensors   logits by the scenario's name, on run.json's "probe" rows (by row: those rows twice)
  several/saved                two adapters as save_pretrained lays them out: "default" and "second"

Random masks are replaced by a formula (see `mask`), which the tests use as well.
"""

import pathlib
import shutil
import sys

import adapter_cases
import make_lora_fixtures as single
import torch
from peft import PeftModel
from peft.utils import merge_utils
from safetensors.torch import save_file

SUMS = {
    "linear": {},
    "cat": {},
    "svd": {},
    "ties": {"density": 0.5},
    "ties_svd": {"density": 0.5},
    "dare_linear": {"density": 0.6},
    "dare_linear_svd": {"density": 0.6},
    "dare_ties": {"density": 0.6},
    "dare_ties_svd": {"density": 0.6},
    "magnitude_prune": {"density": 0.4},
    "magnitude_prune_svd": {"density": 0.4},
}


def mask(tensor, density):
    """Keeps a value by its place alone."""
    places = torch.arange(tensor.numel(), dtype=torch.float64) * 0.6180339887498949
    return ((places - places.floor()) < density).to(tensor.dtype).reshape(tensor.shape)


def pruning(tensor, density, rescale):
    pruned = tensor * mask(tensor, density)
    return pruned / density if rescale else pruned


def several(out, *names, base=None):
    """Adapters on the base of the first, which is active, under their own names."""
    case = base or single.CASES[names[0]]
    model = PeftModel.from_pretrained(single.load(out, case), out / names[0] / "adapter", adapter_name=names[0])
    for name in names[1:]:
        model.load_adapter(out / name / "adapter", adapter_name=name)
    return model.eval()


@torch.no_grad()
def by_row(model, names):
    ids = torch.cat([single.probe(), single.probe()])
    return model(ids, adapter_names=names).logits.contiguous()


def combined(out, names, weights, kind, **options):
    model = several(out, *names)
    model.add_weighted_adapter(names, weights, "sum", combination_type=kind, **options)
    model.set_adapter("sum")
    return single.logits(model)


def main(out):
    torch.set_num_threads(1)
    merge_utils.random_pruning = pruning
    golden = {}
    model = several(out, "plain", "target_regex", "dora")
    model.base_model.set_adapter(["plain", "target_regex"])
    golden["together"] = single.logits(model)
    model.base_model.set_adapter(["plain", "dora"])
    golden["together_dora"] = single.logits(model)
    model.set_adapter("target_regex")
    golden["second"] = single.logits(model)
    with model.disable_adapter():
        golden["base"] = single.logits(model)
    golden["rows"] = by_row(several(out, "plain", "rslora"), ["plain", "__base__", "rslora", "plain"])
    golden["rows_embedding"] = by_row(several(out, "plain", "embedding"), ["embedding", "plain", "__base__", "embedding"])
    golden["rows_tokens"] = by_row(several(out, "tokens"), ["tokens", "__base__", "__base__", "tokens"])
    # PEFT wants the modules in every adapter that is named, and of the active one.
    names = ["modules_by_row_second", "__base__", "modules_by_row", "modules_by_row_second"]
    golden["rows_modules"] = by_row(several(out, "modules_by_row", "modules_by_row_second"), names)

    model = several(out, "plain", "target_regex", "dora")
    golden["merged"] = single.logits(model.merge_and_unload(adapter_names=["target_regex", "plain"]).eval())
    model = several(out, "plain", "target_regex", "dora")
    golden["merged_dora"] = single.logits(model.merge_and_unload(adapter_names=["plain", "dora"]).eval())
    model = several(out, "rslora", "modules_to_save")
    model.set_adapter("modules_to_save")
    golden["merged_modules"] = single.logits(model.merge_and_unload().eval())
    nf4 = {"quant": ("nf4", True)}
    model = several(out, "plain", "target_regex", base=nf4)
    model.merge_adapter(["plain", "target_regex"])
    golden["merged_nf4"] = single.logits(model)

    for kind, options in SUMS.items():
        golden[f"sum_{kind}"] = combined(out, ["plain", "exclude_names"], [0.7, 0.5], kind, **options)
    golden["sum_negative"] = combined(out, ["plain", "exclude_names"], [1.2, -0.4], "linear")
    golden["sum_frequency"] = combined(
        out, ["plain", "exclude_names"], [1.0, 0.5], "ties", density=0.7, majority_sign_method="frequency"
    )
    golden["sum_ranks_cat"] = combined(out, ["plain", "rank_pattern"], [0.5, 0.5], "cat")
    golden["sum_ranks_svd"] = combined(out, ["plain", "rank_pattern"], [0.5, 0.5], "svd", svd_rank=3)
    golden["sum_clamped"] = combined(out, ["plain", "exclude_names"], [0.5, 0.5], "svd", svd_clamp=0.9)
    golden["sum_embedding"] = combined(out, ["embedding", "plain"], [0.5, 0.5], "svd")
    golden["sum_one"] = combined(out, ["plain"], [0.3], "svd")

    folder = out / "several"
    shutil.rmtree(folder, ignore_errors=True)
    model = PeftModel.from_pretrained(single.load(out, {}), out / "plain" / "adapter")
    model.load_adapter(out / "rslora" / "adapter", adapter_name="second")
    model.save_pretrained(folder / "saved")
    adapter_cases.tidy(folder / "saved", "untied")
    adapter_cases.tidy(folder / "saved" / "second", "untied")
    save_file(golden, folder / "logits.safetensors")
    for name, value in golden.items():
        print(name, tuple(value.shape), f"{value.abs().max().item():.3f}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
