"""Makes tokenizers.json: what Python's tokenizers give for small tokenizers of each kind that GGUF files describe.

    python src/test/python/tokenizer_fixtures.py

Needs transformers 5.23.0, tokenizers 0.23.3 and gguf 0.19.0. The vocabularies are trained here, on the texts below. Each
case is the metadata of a GGUF file, written as one and read by transformers where it reads it right; SmolLM2's rule
(each digit for itself) it does not know, and there the pipeline of the model's own tokenizer.json is the reference.

Then it checks what Tokenizer.save wrote: the folder saved_tokenizer, which TokenizerSaveTest compares with what it
writes, must load in transformers with the same ids.
"""

import gzip
import json
import os
import pathlib
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import gguf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

RESOURCES = pathlib.Path(__file__).parent.parent / "resources/dev/panatune/text"

CORPUS = [
    "Hello world, hello World! The quick brown fox jumps over the lazy dog; it's we'll they'd I'M.",
    "  two  spaces   three    four\ttab\n\nnewlines\r\n  and trailing   ",
    "日本語のテキスト、カタカナ。東京タワーは333メートルです。",
    "Türkçe: İstanbul'da ığdır çayı içtik, şöyle güzel bir gün.",
    "العربية نص تجريبي ١٢٣ مرحبا بالعالم",
    "emoji 😀 👩‍👩‍👧🏽 ❤️ 🇹🇷 and naïve café e\u0301 ﬁ",
    "def f(x):\n\treturn x**2  # comment 100%\n\n\nfor i in range(10): print(f'{i}')",
    "1 12 123 1234 12345 3.14159 ½ Ⅷ ² १२३ 0x1F",
    "Ελληνικά русский язык ไทย 한국어 עברית हिन्दी",
    "\x00\x01\x02 control \x1f\x7f\u200b\u2028\ufeff end",
    "<|im_start|>user\nhi there<|im_end|>\n<|im_start|>assistant\n",
    "a<|endoftext|>b <tool>x</tool> <|im_end|",
    "",
    " ",
    "\n",
    "   ",
    "HTTPServer camelCase snake_case CONSTANT_NAME iPhone's O'NEIL'S",
    "\U00020000\U0001F9D1\u200d\U0001F33E \ufffd \ud7ff",
]
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
USER_DEFINED = ["<tool>", "</tool>"]
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
DIGITS = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(DIGITS)
    # A few bytes are left out, as in SmolLM2: what they spell is lost, in Python too.
    alphabet = [c for c in pre_tokenizers.ByteLevel.alphabet() if c not in "ĀāĂ"]
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=CONTROL, initial_alphabet=sorted(alphabet), show_progress=False
    )
    texts = [t.replace("\x00", "").replace("\x01", "").replace("\x02", "") for t in CORPUS for _ in range(3)]
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = [None] * len(model["vocab"])
    for token, index in model["vocab"].items():
        tokens[index] = token
    types = [3 if t in CONTROL else 1 for t in tokens] + [4] * len(USER_DEFINED)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": tokens + USER_DEFINED,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": [" ".join(m) for m in model["merges"]],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.padding_token_id": 2,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }


def sentence_piece():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    letters = sorted({c for t in CORPUS[:5] for c in t if c.isalpha() and c < "\u3000"})
    trainer = trainers.BpeTrainer(
        vocab_size=500, limit_alphabet=150, initial_alphabet=letters + ["▁"], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS[:5], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merged = ["".join(m) for m in model["merges"]]
    single = sorted(set(model["vocab"]) - set(merged))
    control = ["<unk>", "<s>", "</s>"]
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    merged = list(dict.fromkeys(merged))
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": control + bytes_ + merged + single,
        "tokenizer.ggml.scores": [0.0] * 259 + [-float(i) for i in range(len(merged))]
        + [-float(len(merged) + i) for i in range(len(single))],
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * (len(merged) + len(single)),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }


def gemma_piece():
    """Gemma's kind: tokens in the order of their merges, runs of spaces spelled as such, no use of scores."""
    pieces = sentence_piece()
    control = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    rest = pieces["tokenizer.ggml.tokens"][3:] + ["  ", "    ", "\n", "\n\n"]
    return {
        "general.architecture": "gemma2",
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": control + rest,
        "tokenizer.ggml.scores": [0.5] * len(control + rest),
        "tokenizer.ggml.token_type": [3, 3, 3, 2, 3] + [6] * 256 + [1] * (len(rest) - 260) + [4] * 4,
        "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.unknown_token_id": 3,
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_space_prefix": False,
    }


def write_gguf(path, metadata):
    metadata = dict(metadata)
    writer = gguf.GGUFWriter(path, metadata.pop("general.architecture", "llama"))
    for key, value in metadata.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def read_by_transformers(metadata):
    with tempfile.TemporaryDirectory() as folder:
        write_gguf(pathlib.Path(folder) / "t.gguf", metadata)
        return PreTrainedTokenizerFast.from_pretrained(folder, gguf_file="t.gguf").backend_tokenizer


def with_digits(metadata):
    """The pipeline of SmolLM2's own tokenizer.json over a vocabulary."""
    tokenizer = read_by_transformers(metadata)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(DIGITS)
    return tokenizer


def without_prefix(metadata):
    """A SentencePiece vocabulary that puts no space before a text."""
    tokenizer = read_by_transformers(metadata)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def golden(name, base, tokenizer, changes):
    texts = []
    for text in CORPUS:
        ids = tokenizer.encode(text).ids
        texts.append(
            {
                "text": text,
                "ids": ids,
                "plain": tokenizer.encode(text, add_special_tokens=False).ids,
                "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                "skipped": tokenizer.decode(ids, skip_special_tokens=True),
            }
        )
    return {"name": name, "base": base, "changes": changes, "texts": texts}


def unigram():
    """A tokenizer.json with what must not matter: truncation, padding, and add_bos_token beside it."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    trainer = trainers.UnigramTrainer(vocab_size=460, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS[:4] * 2, trainer)
    document = json.loads(tokenizer.to_str())
    document["model"]["byte_fallback"] = True
    document["added_tokens"] = [t for t in document["added_tokens"] if t["id"] < 3]
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(pad_id=2, pad_token="</s>", length=32)
    folder = RESOURCES / "unigram_tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": False, "rstrip": False, "special": True},
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "add_bos_token": True,
        "add_eos_token": False,
        "chat_template": [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "{{ bos_token }}"}],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 300]}))
    loaded = AutoTokenizer.from_pretrained(folder)
    texts = []
    for text in CORPUS:
        ids = loaded(text, truncation=False, padding=False).input_ids
        texts.append(
            {
                "text": text,
                "ids": ids,
                "plain": loaded(text, add_special_tokens=False).input_ids,
                "decoded": loaded.decode(ids),
                "skipped": loaded.decode(ids, skip_special_tokens=True),
            }
        )
    return texts


def check_saved():
    folder = RESOURCES / "saved_tokenizer"
    if not folder.exists():
        print("saved_tokenizer is not there yet: run TokenizerSaveTest with -Dpanatune.writeFixtures=true")
        return
    golden_texts = json.loads(gzip.decompress((RESOURCES / "tokenizers.json.gz").read_bytes()))["cases"][0]
    loaded = AutoTokenizer.from_pretrained(folder)
    for text in golden_texts["texts"]:
        assert loaded(text["text"]).input_ids == text["ids"], text
        assert loaded.decode(text["ids"]) == text["decoded"], text
    messages = [{"role": "user", "content": "hi"}]
    rendered = loaded.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", rendered
    names = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "unk_token": "<|endoftext|>", "pad_token": "<|im_end|>"}
    assert loaded.special_tokens_map == names, loaded.special_tokens_map
    print("saved_tokenizer loads in transformers with the same ids")


def main():
    bases = {"gpt2": byte_level(), "llama": sentence_piece(), "gemma": gemma_piece()}
    cases = [
        ("smollm", "gpt2", with_digits, {"tokenizer.ggml.pre": "smollm"}),
        ("smollm with bos and eos", "gpt2", with_digits,
         {"tokenizer.ggml.pre": "smollm", "tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_eos_token": True}),
    ]
    for pre in ["gpt-2", "llama-bpe", "qwen2", "qwen35", "tekken", "gpt-4o"]:
        cases.append((pre, "gpt2", read_by_transformers, {"tokenizer.ggml.pre": pre}))
    cases.append(("llama", "llama", read_by_transformers, {}))
    cases.append(("llama without bos", "llama", read_by_transformers, {"tokenizer.ggml.add_bos_token": False}))
    cases.append(("llama without prefix", "llama", without_prefix, {"tokenizer.ggml.add_space_prefix": False}))
    cases.append(("phi3", "llama", read_by_transformers, {"general.architecture": "phi3"}))
    cases.append(("gemma2", "gemma", read_by_transformers, {}))
    document = {
        "bases": bases,
        "cases": [golden(n, base, read({**bases[base], **changes}), changes) for n, base, read, changes in cases],
        "unigram": unigram(),
    }
    out = RESOURCES / "tokenizers.json.gz"
    out.write_bytes(gzip.compress(json.dumps(document, ensure_ascii=True).encode(), 9, mtime=0))
    print(out, out.stat().st_size, "bytes", [c["name"] for c in document["cases"]])
    check_saved()


if __name__ == "__main__":
    main()
