"""Has transformers and PEFT load the classifiers that are trained here: python compare_classifiers.py [--seed N]

Needs torch 2.13.0, transformers 5.23.0 and peft 0.21.2, and bin/panatune built. Random language models are trained as
classifiers of three classes by the command line: with each method, in 4 bits and whole. The adapters (their heads
are trained whole, as modules_to_save), the merged directories and the whole models, loaded in Python, must give the logits
that they give here. Prints one line a comparison; exit code 1 if one is out of its tolerance.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import compare_live as live
import tiny_models
import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.utils import logging

LIMIT = 2e-5
CLASSES = ["vowel", "consonant", "digit"]
SYMBOLS = ["aeiou", "bcdfg", "13579"]
PADDING = 3
CASES = {
    "LoRA": ("llama", {"peft_type": "LORA", "r": 4, "target_modules": "all-linear"}),
    "LoRA with a norm": ("llama", {"peft_type": "LORA", "r": 4, "modules_to_save": ["norm"], "bias": "lora_only"}),
    "DoRA": ("llama", {"peft_type": "LORA", "r": 2, "use_dora": True}),
    "LoRA on GPT-2": ("gpt2", {"peft_type": "LORA", "r": 4, "fan_in_fan_out": True}),
    "LoRA in 4 bits": ("llama", {"peft_type": "LORA", "r": 4, "target_modules": "all-linear"}),
    "IA3": ("llama", {"peft_type": "IA3"}),
    "IA3 on GPT-2": ("gpt2", {"peft_type": "IA3"}),
    "prompt tuning": ("llama", {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 4}),
    "prefix tuning": ("llama", {"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 4}),
    "the whole model": ("llama", None),
    "the whole GPT-2": ("gpt2", None),
}
LOGITS = """
import dev.panatune.model.*;
import dev.panatune.peft.PeftModel;
import dev.panatune.quant.*;
import dev.panatune.tensor.*;
import java.nio.file.Path;
import java.util.*;

class Logits {
  public static void main(String[] args) {
    LoadOptions options = LoadOptions.stored().withDtype(DType.FLOAT32);
    if (args[2].equals("nf4")) {
      options = options.withQuantization(QuantConfig.qlora(DType.FLOAT32));
    }
    Path base = Path.of(args[0]);
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        PretrainedModel loaded =
            args[1].isEmpty()
                ? PretrainedModel.load(base, options)
                : SequenceClassifier.load(base, 3, options)) {
      if (!args[1].isEmpty()) {
        PeftModel.load(loaded.model(), Path.of(args[1]), false);
      }
      long[] ids = Arrays.stream(args[3].split(",")).mapToLong(Long::parseLong).toArray();
      int rows = Integer.parseInt(args[4]);
      Tensor logits =
          new SequenceClassifier(loaded.model()).logits(Tensor.ofLongs(ids, rows, ids.length / rows));
      System.out.println(Arrays.toString(logits.reshape(-1).toFloats()));
    }
  }
}
"""


def ours(folder, model, adapter, four_bit, ids):
    """The logits that the library computes here."""
    root = live.PANATUNE.parents[1]
    program = folder / "Logits.java"
    program.write_text(LOGITS)
    java = pathlib.Path(os.environ["JAVA_HOME"]) / "bin" / "java" if "JAVA_HOME" in os.environ else "java"
    path = f"{root / 'target' / 'classes'}:{(root / 'target' / 'classpath').read_text().strip()}"
    flat = ",".join(str(token) for token in ids.reshape(-1).tolist())
    arguments = [model, adapter or "", "nf4" if four_bit else "", flat, len(ids)]
    command = [java, "--enable-native-access=ALL-UNNAMED", "-cp", path, program, *arguments]
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=True)
    return torch.tensor(json.loads(done.stdout)).reshape(len(ids), -1)


@torch.no_grad()
def theirs(model, adapter, four_bit, ids):
    options = tiny_models.quantization("nf4", True) if four_bit else {}
    if adapter:
        options |= {"num_labels": len(CLASSES)}
    loaded = AutoModelForSequenceClassification.from_pretrained(model, dtype=torch.float32, **options).eval()
    if adapter:
        loaded = PeftModel.from_pretrained(loaded, adapter).eval()
    return loaded(input_ids=ids, attention_mask=(ids != PADDING).long()).logits.float()


def compare(report, what, folder, model, adapter, four_bit, even):
    ids = tiny_models.token_rows(3, 12, 5)
    if not even:
        ids[0, 7:] = PADDING
    expected = theirs(model, adapter, four_bit, ids)
    found = ours(folder, model, adapter, four_bit, ids)
    deviation = (found - expected).abs().max() / expected.abs().max()
    report.within(what, deviation.item(), LIMIT)


def rows(path, seed):
    draw = random.Random(seed)
    lines = []
    for _ in range(24):
        label = draw.randrange(3)
        text = "is it {} or {}".format(*draw.choices(SYMBOLS[label], k=2))
        lines.append(json.dumps({"text": text, "label": CLASSES[label]}))
    path.write_text("\n".join(lines) + "\n")


def case(report, name, family, peft, folder, seed):
    folder.mkdir()
    model, out = folder / "model", folder / "out"
    config = tiny_models.gpt2_config() if family == "gpt2" else tiny_models.untied_config()
    tiny_models.save(tiny_models.random_model(config, seed), model, torch.float32)
    rows(folder / "rows.jsonl", seed)
    four_bit = "4 bits" in name
    settings = {
        "model": {"path": str(model), "dtype": "float32", "id2label": dict(enumerate(CLASSES))},
        "data": {"train": str(folder / "rows.jsonl"), "max_length": 64},
        "training": {"max_steps": 5, "per_device_train_batch_size": 4, "learning_rate": 2e-2, "save_strategy": "no"},
        "output_dir": str(out),
        "seed": seed,
    }
    if four_bit:
        settings["model"] |= {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": True,
            "bnb_4bit_compute_dtype": "float32",
        }
    if peft:
        settings["peft"] = {**peft, "task_type": "SEQ_CLS"}
    else:
        settings["model"]["task_type"] = "SEQ_CLS"
    run = folder / "run.yaml"
    run.write_text(json.dumps(settings))
    live.panatune("train", run)
    if not peft:
        report.same(f"{name}: classes", AutoConfig.from_pretrained(out).id2label, dict(enumerate(CLASSES)))
        compare(report, f"{name}: saved here", folder, out, None, False, False)
        return
    # PEFT's prompt tuning reads the class off the last position, padding or not.
    compare(report, f"{name}: adapter", folder, model, out, four_bit, peft["peft_type"] == "PROMPT_TUNING")
    if peft["peft_type"] in ("LORA", "IA3"):
        merged = folder / "merged"
        quantised = ["--load-in-4bit", "--double-quant"] if four_bit else []
        live.panatune("merge", "--model", model, "--adapter", out, "--dtype", "fp32", *quantised, "--out", merged)
        report.same(f"{name}: classes", AutoConfig.from_pretrained(merged).id2label, dict(enumerate(CLASSES)))
        compare(report, f"{name}: merged", folder, merged, None, False, False)
        ids = tiny_models.token_rows(3, 12, 5)
        adapted, plain = theirs(model, out, four_bit, ids), theirs(merged, None, False, ids)
        report.within(
            f"{name}: merged, against the adapter", ((adapted - plain).abs().max() / adapted.abs().max()).item(), LIMIT
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(f"seed {arguments.seed}")
    live.panatune("doctor")
    report = live.Report()
    with tempfile.TemporaryDirectory() as temporary:
        for number, (name, (family, peft)) in enumerate(CASES.items()):
            case(report, name, family, peft, pathlib.Path(temporary) / str(number), arguments.seed + number)
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
