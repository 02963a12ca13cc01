"""Makes the first inputs of the fuzz targets from other fixtures: python make_fuzz_corpus.py

Needs gguf 0.19.0. Small files of each kind, and of each hostile kind one; what fuzzing finds is added beside them by hand.
"""

import pathlib
import tempfile
import zipfile

import gguf

RESOURCES = pathlib.Path(__file__).resolve().parents[1] / "resources"
FORMAT = RESOURCES / "dev/panatune/format/FormatFuzzTestInputs"
TEXT = RESOURCES / "dev/panatune/text/TextFuzzTestInputs"


def put(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def read(name):
    return (RESOURCES / name).read_bytes()


def safetensors(header, data=b""):
    return len(header).to_bytes(8, "little") + header + data


def gguf_file():
    """One key of each kind and two tensors, by hand: the package's own file is large."""

    def text(value):
        return len(value).to_bytes(8, "little") + value

    def word(value, size=4):
        return value.to_bytes(size, "little")

    pairs = [text(b"general.architecture") + word(8) + text(b"llama"), text(b"list") + word(9) + word(8) + word(1, 8) + text(b"a")]
    for kind, size in [(0, 1), (1, 1), (2, 2), (3, 2), (4, 4), (5, 4), (6, 4), (7, 1), (10, 8), (11, 8), (12, 8)]:
        pairs.append(text(b"k%d" % kind) + word(kind) + word(1, size))
    tensors = [
        text(b"a") + word(1) + word(3, 8) + word(0) + word(0, 8),
        text(b"b") + word(2) + word(32, 8) + word(1, 8) + word(8) + word(32, 8),
    ]
    head = b"GGUF" + word(3) + word(len(tensors), 8) + word(len(pairs), 8) + b"".join(pairs) + b"".join(tensors)
    head += bytes(-len(head) % 32)
    return head + bytes(32 + 34)


def vocabulary(settings, tokens):
    """A t5 vocabulary as UnigramLines reads it."""
    return "\n".join([settings] + [f"{kind} {score} {token}" for kind, score, token in tokens]).encode()


def gguf_vocabulary(model, tokens, **more):
    """A GGUF file of a vocabulary alone; tokens are (type, score, text)."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "vocabulary.gguf"
        writer = gguf.GGUFWriter(path, more.pop("architecture", "llama"))
        writer.add_tokenizer_model(model)
        writer.add_token_list([token for _, _, token in tokens])
        writer.add_token_types([kind for kind, _, _ in tokens])
        writer.add_token_scores([score for _, score, _ in tokens])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)
        writer.add_add_bos_token(True)
        for key, value in more.items():
            writer.add_array(f"tokenizer.ggml.{key}", value) if isinstance(value, list) else writer.add_string(key.replace("__", "."), value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        return path.read_bytes()


def gguf_vocabularies():
    special = [(2, 0.0, "<unk>"), (3, 0.0, "<s>"), (3, 0.0, "</s>")]
    in_bytes = [(6, 0.0, f"<0x{byte:02X}>") for byte in (0x20, 0x31, 0xC3, 0xB6, 0xE6, 0x97, 0xA5)]
    pieces = [(1, -2.0, "▁"), (1, -2.5, "▁H"), (1, -3.0, "ello"), (1, -3.5, "l"), (1, -4.0, "o"), (4, 0.0, "<|im_end|>"), (1, -4.5, "日本"), (5, -9.0, "[PAD]")]
    settings = "bos_token_id=1 eos_token_id=2 unknown_token_id=0 padding_token_id=0 add_bos_token=true add_eos_token=true add_space_prefix=true"
    put(TEXT / "ggufUnigram", "bytes", vocabulary(settings, special + in_bytes + pieces))
    put(TEXT / "ggufUnigram", "without_unknown", vocabulary("bos_token_id=1 add_space_prefix=false", pieces))
    put(TEXT / "ggufUnigram", "not_finite", vocabulary(settings, special + [(1, "NaN", "l"), (1, "-Infinity", "o"), (1, "1e308", "e")]))
    put(TEXT / "ggufUnigram", "id_outside", vocabulary("unknown_token_id=9", special))
    put(TEXT / "ggufUnigram", "twice_and_empty", vocabulary(settings, special + [(1, -1.0, "l"), (1, -2.0, "l"), (1, -1.0, ""), (3, 0.0, "")]))
    put(TEXT / "ggufUnigram", "all_unused", vocabulary("unknown_token_id=0", [(5, 0.0, "a"), (5, 0.0, "b")]))
    put(TEXT / "ggufTokenizer", "t5", gguf_vocabulary("t5", special + in_bytes + pieces))
    put(TEXT / "ggufTokenizer", "llama", gguf_vocabulary("llama", special + in_bytes + pieces))
    put(TEXT / "ggufTokenizer", "gpt2", gguf_vocabulary("gpt2", special + [(1, 0.0, t) for t in ["l", "o", "lo", "Ġ", "Ġlo"]], merges=["l o", "Ġ lo"]))
    put(TEXT / "ggufTokenizer", "whole", gguf_vocabulary("t5", special, tokenizer__huggingface__json=read("dev/panatune/text/unigram_tokenizer/tokenizer.json").decode()))
    put(TEXT / "ggufWhole", "bytes", read("parity/untied/tokenizer.json"))
    put(TEXT / "ggufWhole", "unigram", read("dev/panatune/text/unigram_tokenizer/tokenizer.json"))
    put(TEXT / "ggufWhole", "fewer_tokens", b'{"model":{"type":"Unigram","unk_id":null,"vocab":[["<s>",0.0]]}}')
    put(TEXT / "ggufWhole", "unknown_outside", b'{"model":{"type":"Unigram","unk_id":7,"vocab":[["<s>",0.0],["a",-1.0]]}}')
    put(TEXT / "ggufWhole", "charsmap", b'{"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"},"model":{"type":"Unigram","unk_id":0,"vocab":[["<s>",0.0]]}}')
    put(TEXT / "ggufWhole", "type_of_another", b'{"post_processor":{"type":"Sequence","single":[{"SpecialToken":{"id":"</s>","type_id":0}}],"pair":[],'
        b'"special_tokens":{}},"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],["h",-1.0]]}}')


def main():
    put(FORMAT / "safetensors", "all_types", read("format/all_types.safetensors"))
    put(FORMAT / "safetensors", "overlap", safetensors(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}', bytes(6)))
    put(FORMAT / "safetensors", "overflow", safetensors(
        b'{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}'))
    put(FORMAT / "gguf", "all_kinds", gguf_file())
    for name in ["all.pt", "deflated.pt", "alone.pt"]:
        put(FORMAT / "torchArchive", name, read(f"torch/{name}"))
    for name in ["all.pt", "attack.pt", "sparse.pt", "conjugate.pt", "alone.pt"]:
        with zipfile.ZipFile(RESOURCES / "torch" / name) as archive:
            pickle = next(member for member in archive.namelist() if member.endswith("data.pkl"))
            put(FORMAT / "torchPickle", name.removesuffix(".pt"), archive.read(pickle))
    put(FORMAT / "shardIndex", "sharded", read("format/sharded/model.safetensors.index.json"))
    put(FORMAT / "shardIndex", "one", b'{"metadata":{},"weight_map":{"model.embed.weight":"model-00001-of-00002.safetensors"}}')
    put(FORMAT / "shardIndex", "outside", b'{"weight_map":{"a":"../../etc/passwd"}}')
    put(TEXT / "tokenizerJson", "bytes", read("parity/untied/tokenizer.json"))
    put(TEXT / "tokenizerJson", "unigram", read("dev/panatune/text/unigram_tokenizer/tokenizer.json"))
    gguf_vocabularies()
    put(TEXT / "chatTemplate", "chatml", read("parity/untied/chat_template.jinja"))
    put(TEXT / "chatTemplate", "endless", b"{% for i in range(10**9) %}{% for j in range(10**9) %}x{% endfor %}{% endfor %}")
    put(TEXT / "chatTemplate", "attack", b"{{ messages.__class__.__mro__[1].__subclasses__() }}{{ ''.__init__ }}")
    put(TEXT / "chatTemplate", "rich",
        b"{% macro m(x, y=1) %}{{ x|upper|trim }}{% endmacro %}{% set ns = namespace(a=[]) %}{%- for message in messages if message.role != 'system' -%}"
        b"{{ m(message.content) }}{% if loop.last %}{{ bos_token ~ loop.index0 }}{% elif message['role'] is defined %}{{ message | tojson }}"
        b"{% else %}{{ raise_exception('no') }}{% endif %}{% set ns.a = ns.a + [message.content[::-1]] %}{% endfor %}{{ ns.a | join(', ') }}"
        b"{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}{{ range(3)|list }}{{ {'a': 1}.items()|list }}{{ 'x' * 3 if not false else none }}")


if __name__ == "__main__":
    main()
