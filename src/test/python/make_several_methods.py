"""Makes src/test/resources/methods/several.safetensors: python make_several_methods.py ../resources/methods

Several adapters of one method other than LoRA on one model, as PEFT 0.21.2 has them: active together (IA3), switched,
merged, combined. The adapters are those that make_method_fixtures.py made, which runs first. The file has the logits on
run.json's "probe" rows, by the scenario's name.
"""

import pathlib
import sys

import make_method_fixtures as single
import torch
from peft import PeftModel
from safetensors.torch import save_file


def several(out, *names):
    """Adapters on one base under their own names; the first is active."""
    model = PeftModel.from_pretrained(single.load(out, {}), out / names[0] / "adapter", adapter_name=names[0])
    for name in names[1:]:
        model.load_adapter(out / name / "adapter", adapter_name=name)
    return model.eval()


def combined(out, names, weights):
    model = several(out, *names)
    model.add_weighted_adapter(names, weights, "sum")
    model.set_adapter("sum")
    return single.logits(model)


def main(out):
    torch.set_num_threads(1)
    golden = {"base": single.logits(single.load(out, {}))}
    model = several(out, "ia3_default", "ia3_second", "ia3_regex")
    model.base_model.set_adapter(["ia3_default", "ia3_second", "ia3_regex"])
    golden["ia3_together"] = single.logits(model)
    model.set_adapter("ia3_second")
    golden["ia3_second"] = single.logits(model)
    # PEFT forgets which is active where that is the one it deletes.
    model.set_adapter("ia3_regex")
    model.delete_adapter("ia3_second")
    model.base_model.set_adapter(["ia3_default", "ia3_regex"])
    golden["ia3_deleted"] = single.logits(model)
    model = several(out, "ia3_default", "ia3_second")
    golden["ia3_merged"] = single.logits(model.merge_and_unload(adapter_names=["ia3_second", "ia3_default"]).eval())
    golden["ia3_sum"] = combined(out, ["ia3_default", "ia3_second"], [0.7, 0.5])
    golden["ia3_negative"] = combined(out, ["ia3_second", "ia3_default"], [1.4, -0.3])
    golden["ia3_one"] = combined(out, ["ia3_regex"], [0.9])
    for first, second in [("prompt_random", "prompt_sample"), ("prefix", "prefix_projected")]:
        model = several(out, first, second)
        golden[first] = single.logits(model)
        model.set_adapter(second)
        golden[second] = single.logits(model)
    save_file(golden, out / "several.safetensors")
    for name, value in golden.items():
        print(name, tuple(value.shape), f"{value.abs().max().item():.3f}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
