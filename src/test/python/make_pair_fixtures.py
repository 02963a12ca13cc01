"""Makes src/test/resources/dev/panatune/text/pairs.json: what transformers' tokenizers give for pairs and for what is cut.

    python src/test/python/make_pair_fixtures.py

Needs transformers 5.23.0; tokenizer_fixtures.py ran before. A BERT-like template is put on one of the tokenizers: it has
tokens before, between and after the texts.
"""

import json
import pathlib

from tokenizers import processors
from transformers import AutoTokenizer

RESOURCES = pathlib.Path(__file__).resolve().parents[1] / "resources"
TEXT = RESOURCES / "dev/panatune/text"
FIRST = "Hello world, the quick brown fox jumps over"
PAIRS = [(FIRST, None), (FIRST, "the lazy dog"), ("fox", FIRST), (FIRST, FIRST), ("a", "b"), (FIRST, "")]


def main():
    framed = AutoTokenizer.from_pretrained(TEXT / "saved_tokenizer")
    start, end = framed.convert_ids_to_tokens([1, 2])
    framed.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", pair=f"{start} $A {end} {start} $B:1 {end}:1", special_tokens=[(start, 1), (end, 2)]
    )
    framed.backend_tokenizer.save(str(TEXT / "framed_tokenizer.json"), pretty=False)
    cases = []
    for name, tokenizer in [("framed_tokenizer.json", framed), ("unigram_tokenizer", AutoTokenizer.from_pretrained(TEXT / "unigram_tokenizer"))]:
        for text, pair in PAIRS:
            whole = len(tokenizer(text, pair, truncation=False, padding=False).input_ids)
            for longest in sorted({6, 7, 9, 12, whole - 1, whole}):
                if longest > 5:
                    ids = tokenizer(text, pair, truncation=True, padding=False, max_length=longest).input_ids
                    cases.append({"tokenizer": name, "text": text, "pair": pair, "longest": longest, "whole": whole, "ids": ids})
    (TEXT / "pairs.json").write_text(json.dumps(cases, indent=0, ensure_ascii=True) + "\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
