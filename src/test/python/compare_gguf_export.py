"""Writes random models of every family as GGUF with `panatune export`, and reads them with gguf, transformers and panatune.

    python src/test/python/compare_gguf_export.py [SECONDS] [SEED]

Needs torch 2.13.0, transformers 5.23.0 and gguf 0.19.0. For each of F32, F16, BF16 and Q8_0: every tensor that the gguf
package reads, under its own name for it, is what it would have quantised itself, bit for bit; transformers' logits from
the file (where it reads the architecture) are those from the directory that `panatune export` makes of the same file
(2e-5 of the largest), and in F32 those of the model itself; tokenizer and chat template come back, and a vocabulary of the
kind llama, beside a Mistral with a window, too. Where the package
llama_cpp is there, llama.cpp loads the F32 file too; its logits are the same to 1e-2 (its GELU is a table of half floats).
"""

import pathlib
import random
import subprocess
import sys
import tempfile
import time

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

try:
    import llama_cpp
except ImportError:
    llama_cpp = None

import family_models
import tokenizer_fixtures
from family_models import LLAMA3, LONG, rope
from make_gguf_families import stored

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOKENIZER = ROOT / "src" / "test" / "resources" / "parity" / "untied"
TEXT = "Hello world, 12345 the fox! äöü 日本 <|im_start|>user\n"
TYPES = {"f32": "F32", "f16": "F16", "bf16": "BF16", "q8_0": "Q8_0"}
ARCH = gguf.MODEL_ARCH
FAMILIES = {
    "llama": ARCH.LLAMA, "qwen2": ARCH.QWEN2, "qwen3": ARCH.QWEN3, "smollm3": ARCH.SMOLLM3, "gemma2": ARCH.GEMMA2,
    "gemma3_text": ARCH.GEMMA3, "phi3": ARCH.PHI3, "granite": ARCH.GRANITE, "olmo2": ARCH.OLMO2, "gpt2": ARCH.GPT2,
    "gpt_neox": ARCH.GPTNEOX,
}  # fmt: skip
READ_BY_TRANSFORMERS = {"llama", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "gpt2"}
# Of what else a file has, transformers' own reader knows nothing: the configuration is given to it.
EXTRA = {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"}


def draw(rng, family):
    """A configuration that the family's GGUF form can say."""
    heads, groups = rng.choice([1, 2]), rng.choice([1, 2])
    hidden = 32 * rng.choice([1, 2])
    ropes = [rope(theta=rng.choice([100.0, 10000.0]))]
    if family not in ("phi3", "gemma3_text"):
        ropes += [rope("linear", factor=2.0), rope("yarn", factor=4.0, original_max_position_embeddings=16)]
    if family in ("llama", "granite"):
        ropes.append(rope("llama3", **LLAMA3))
    settings = dict(
        model_type=family, vocab_size=320, hidden_size=hidden, intermediate_size=rng.choice([32, 48, 64]),
        num_hidden_layers=rng.choice([1, 2, 3, 7]), num_attention_heads=heads * groups, num_key_value_heads=heads,
        max_position_embeddings=128, rms_norm_eps=rng.choice([1e-2, 1e-5]), initializer_range=0.2,
        tie_word_embeddings=rng.random() < 0.5, bos_token_id=1, eos_token_id=2, pad_token_id=0, rope_parameters=rng.choice(ropes),
    )  # fmt: skip
    head_dim = rng.choice([8, 16])
    if family in ("llama", "qwen3", "smollm3", "granite"):
        settings["head_dim"] = head_dim
    if family in ("llama", "granite"):
        settings.update(attention_bias=rng.random() < 0.5, mlp_bias=rng.random() < 0.5)
    if family == "granite":
        for key in ("embedding_multiplier", "logits_scaling", "residual_multiplier", "attention_multiplier"):
            settings[key] = rng.uniform(0.3, 3.0)
    if family in ("gemma2", "gemma3_text"):
        settings.update(head_dim=head_dim, query_pre_attn_scalar=head_dim, sliding_window=7)
        settings["final_logit_softcapping"] = rng.uniform(2, 20)
    if family == "gemma2":
        settings.update(attn_logit_softcapping=rng.uniform(1, 20), tie_word_embeddings=True)
    if family == "gemma3_text":
        full = rng.choice([rope(theta=1000.0), rope("linear", 1000.0, factor=2.0)])
        settings["rope_parameters"] = {"full_attention": full, "sliding_attention": rope(theta=10000.0)}
    if family == "phi3":
        settings.update(hidden_size=8 * heads * groups * 4, sliding_window=rng.choice([None, 20]), original_max_position_embeddings=16)
        factors = {key: (LONG[key] * 4 if isinstance(LONG[key], list) else LONG[key]) for key in LONG}
        settings["rope_parameters"] = rng.choice([rope(), rope("longrope", partial_rotary_factor=0.5, **factors)])
    if family in ("olmo2", "gpt_neox"):
        settings["tie_word_embeddings"] = False
    if family == "gpt_neox":
        settings.update(layer_norm_eps=1e-2, use_parallel_residual=rng.random() < 0.5)
        settings["rope_parameters"] = rope(partial_rotary_factor=rng.choice([0.5, 1.0]))
        settings.pop("num_key_value_heads"), settings.pop("rms_norm_eps")
    if family == "gpt2":
        names = dict(hidden_size="n_embd", intermediate_size="n_inner", num_hidden_layers="n_layer",
                     num_attention_heads="n_head", max_position_embeddings="n_positions", rms_norm_eps="layer_norm_epsilon")  # fmt: skip
        dropped = ("num_key_value_heads", "rope_parameters", "tie_word_embeddings")
        settings = {names.get(key, key): value for key, value in settings.items() if key not in dropped}
    return settings


def panatune(*arguments):
    subprocess.run([str(ROOT / "bin" / "panatune"), *map(str, arguments), "--threads", "1"], check=True, stdout=subprocess.DEVNULL)


def permuted_too(name, value, config, family):
    """The layout in the file: make_gguf_families.py has that of all but llama, which is granite's."""
    return stored(name, value, config, ARCH.GRANITE if family == "llama" else FAMILIES[family])


def check_tensors(file, model, family, kind):
    names = gguf.get_tensor_name_map(FAMILIES[family], model.config.num_hidden_layers)
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
    for name, value in model.state_dict().items():
        if name in ("lm_head.weight", "embed_out.weight") and model.config.tie_word_embeddings:
            continue
        value = np.ascontiguousarray(permuted_too(name, value.numpy(), model.config, family))
        stored_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
        of = "F32" if value.ndim < 2 or stored_name == "position_embd.weight" else kind
        of = gguf.GGMLQuantizationType["F16" if of == "Q8_0" and value.shape[1] % 32 else of]
        tensor = found.pop(stored_name)
        assert tensor.tensor_type == of, (stored_name, tensor.tensor_type, of)
        assert np.array_equal(tensor.data.view(np.uint8).ravel(), gguf.quants.quantize(value, of).view(np.uint8).ravel()), stored_name
    assert set(found) <= EXTRA, found.keys()


def logits(model, ids):
    with torch.no_grad():
        return model(ids).logits


def same(a, b, what, tolerance=2e-5):
    distance = (a - b).abs().max() / b.abs().max()
    assert distance <= tolerance, (what, distance)
    return distance.item()


def llama_cpp_logits(file, ids):
    """In float32 throughout."""
    model = llama_cpp.Llama(
        str(file), n_ctx=64, n_batch=64, n_threads=1, logits_all=True, type_k=0, type_v=0, flash_attn=False, verbose=False
    )
    model.eval(ids[0].tolist())
    return torch.from_numpy(np.array(model.scores[: ids.shape[1]]))[None]


def check(rng, family, folder):
    settings = draw(rng, family)
    model = family_models.build(settings, rng.randrange(1 << 30))
    source = folder / "model"
    model.save_pretrained(source)
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    tokenizer.save_pretrained(source)
    ids = torch.tensor([[rng.randrange(3, 320) for _ in range(17)]])
    for option, kind in TYPES.items():
        file = folder / f"{option}.gguf"
        panatune("export", "--model", source, "--out", file, "--type", option)
        check_tensors(file, model, family, kind)
        panatune("export", "--model", file, "--out", folder / option, "--dtype", "fp32")
        ours = AutoModelForCausalLM.from_pretrained(folder / option, dtype=torch.float32, attn_implementation="eager").eval()
        expected = logits(ours, ids)
        if option == "f32":
            same(expected, logits(model, ids), (family, option, settings))
            if llama_cpp:
                distance = same(llama_cpp_logits(file, ids), expected, (family, settings, "llama.cpp"), 1e-2)
                print(f"{family}: llama.cpp's logits differ by {distance:.1e} of the largest")
        if family in READ_BY_TRANSFORMERS:
            read = AutoModelForCausalLM.from_pretrained(
                folder, gguf_file=file.name, config=model.config, dtype=torch.float32, attn_implementation="eager"
            ).eval()
            same(logits(read, ids), expected, (family, option, settings, "transformers"))
    if family == "llama":
        back = AutoTokenizer.from_pretrained(folder, gguf_file="f32.gguf")
        assert back(TEXT).input_ids == tokenizer(TEXT).input_ids
        assert back.chat_template == tokenizer.chat_template
    back = AutoTokenizer.from_pretrained(folder / "f32")
    assert back(TEXT).input_ids == tokenizer(TEXT).input_ids
    assert back.chat_template == tokenizer.chat_template


def check_sentence_piece(rng, folder):
    """A Mistral with a window and a vocabulary of the kind `llama`."""
    metadata = tokenizer_fixtures.sentence_piece()
    expected = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_fixtures.read_by_transformers(metadata), bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    source = folder / "model"
    expected.save_pretrained(source)
    window = 20
    settings = dict(
        model_type="mistral", vocab_size=len(expected) + 3, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128, sliding_window=window, initializer_range=0.2,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = family_models.build(settings, rng.randrange(1 << 30))
    model.save_pretrained(source)
    file = folder / "f32.gguf"
    panatune("export", "--model", source, "--out", file, "--type", "f32")
    fields = gguf.GGUFReader(file).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    assert tokens[: len(expected)] == metadata["tokenizer.ggml.tokens"] and len(tokens) == len(expected) + 3
    types = fields["tokenizer.ggml.token_type"].contents()
    assert types == metadata["tokenizer.ggml.token_type"] + [5] * 3
    panatune("export", "--model", file, "--out", folder / "f32", "--dtype", "fp32")
    for back in [AutoTokenizer.from_pretrained(folder, gguf_file=file.name), AutoTokenizer.from_pretrained(folder / "f32")]:
        for text in tokenizer_fixtures.CORPUS:
            ids = expected(text).input_ids
            assert back(text).input_ids == ids and back.decode(ids) == expected.decode(ids), text
    long = torch.tensor([[rng.randrange(3, 320) for _ in range(2 * window)]])
    ours = AutoModelForCausalLM.from_pretrained(folder / "f32", dtype=torch.float32, attn_implementation="eager").eval()
    assert ours.config.sliding_window == window
    same(logits(ours, long), logits(model, long), "mistral")
    # transformers' own reader knows of no window in the architecture llama.
    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file.name, dtype=torch.float32, attn_implementation="eager").eval()
    same(logits(read, long[:, :window]), logits(model, long[:, :window]), "mistral, read by transformers")


def main():
    torch.set_num_threads(1)
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    end = time.time() + seconds
    count = 0
    while count < len(FAMILIES) or time.time() < end:
        family = list(FAMILIES)[count % len(FAMILIES)]
        with tempfile.TemporaryDirectory() as folder:
            check(random.Random(seed + count), family, pathlib.Path(folder))
        print(family, "equal", flush=True)
        count += 1
    with tempfile.TemporaryDirectory() as folder:
        check_sentence_piece(random.Random(seed), pathlib.Path(folder))
    print("mistral with a window, a vocabulary of the kind llama: equal")
    print(f"{count} models, 4 files each: equal")


if __name__ == "__main__":
    main()
