"""Makes the first inputs of the fuzz targets from other fixtures: python make_fuzz_corpus.py

Small files of each kind, and of each hostile kind one; what fuzzing finds is added beside them by hand.
"""

import pathlib
import zipfile

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
