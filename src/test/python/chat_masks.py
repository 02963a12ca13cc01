"""Makes chat_masks.json: the ids and the assistant mask of transformers for conversations in SmolLM2's ChatML.

    python src/test/python/chat_masks.py

Needs transformers 5.23.0 and the folder saved_tokenizer (see tokenizer_fixtures.py). The mask comes from a template whose
generation blocks hold the answer through <|im_end|>. Java finds the same without them.
"""

import json
import os
import pathlib

os.environ["HF_HUB_OFFLINE"] = "1"

from transformers import AutoTokenizer

RESOURCES = pathlib.Path(__file__).parent.parent / "resources/dev/panatune/text"

MARKED = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ '<|im_start|>assistant\\n' }}"
    "{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}"
    "{% else %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endif %}{% endfor %}"
)

CONVERSATIONS = [
    ["u:Hi", "a:Hello there."],
    ["s:Be brief.", "u:1+1?", "a:2", "u:and 2+2?", "a:It is 4.\nYes: 4 😀"],
    ["u:repeat: assistant", "a:assistant", "u:assistant\n", "a:<|im_start|>assistant"],
    ["u:x", "a: leading and trailing  \n\n", "u:\n\n", "a:\n\nnewlines first"],
    ["u:日本語で", "a:こんにちは 👩‍👩‍👧🏽!", "u:İyi", "a:Şöyle  12  34"],
    ["u:say im_end", "a:it is <|im_end|> in the text", "u:ok", "a:done"],
    ["u:empty", "a:", "u:again", "a:x"],
    ["u:only a question"],
    ["a:first", "u:then", "a:second"],
    ["u:a", "u:b", "a:c", "a:c", "u:c", "a:c"],
    ["u:code", "a:```\ndef f(x):\n\treturn x\n```"],
]
ROLES = {"s": "system", "u": "user", "a": "assistant"}


def main():
    tokenizer = AutoTokenizer.from_pretrained(RESOURCES / "saved_tokenizer")
    cases = []
    for conversation in CONVERSATIONS:
        messages = [{"role": ROLES[m[0]], "content": m[2:]} for m in conversation]
        marked = tokenizer.apply_chat_template(
            messages, chat_template=MARKED, return_assistant_tokens_mask=True, return_dict=True
        )
        plain = tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]
        assert marked["input_ids"] == plain
        prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
        mask = marked["assistant_masks"]
        cases.append({"messages": messages, "ids": plain, "mask": "".join(map(str, mask)), "prompt": prompt})
    document = {"marked": MARKED, "cases": cases}
    (RESOURCES / "chat_masks.json").write_text(json.dumps(document, ensure_ascii=True) + "\n")
    print(len(cases), "cases", [sum(map(int, c["mask"])) for c in cases])


if __name__ == "__main__":
    main()
