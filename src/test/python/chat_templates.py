"""Makes chat_templates.json.gz: what transformers renders, for every chat template of trl's wheel.

    python src/test/python/chat_templates.py

Needs transformers 5.23.0, jinja2 3.1.6 and trl 1.16.0. Each case holds a template, what it was given and either the
text with the spans of its generation blocks, or the error: "raised" with the template's own message, or "failed" where
Jinja itself refused.
"""

import datetime
import gzip
import importlib.util
import json
import pathlib
import re

import jinja2
from transformers.utils import chat_template_utils

OUT = pathlib.Path(__file__).parent.parent / "resources/dev/panatune/text/chat_templates.json.gz"
TRL = pathlib.Path(importlib.util.find_spec("trl").submodule_search_locations[0]) / "chat_templates"
SPECIAL = {"bos_token": "<BOS>", "eos_token": "<EOS>", "pad_token": "<PAD>", "unk_token": "<UNK>"}
NOW = datetime.datetime(2024, 7, 3, 9, 5, 7)

SMOLLM2 = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city, in \"plain\" words.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Which city, e.g. İzmir"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "Unit"},
                "days": {"type": "array", "items": {"type": "integer"}, "description": "Days <from> now & on"},
                "where": {
                    "type": "object",
                    "description": "Nested",
                    "properties": {"lat": {"type": "number"}, "lon": {"type": ["number", "null"]}},
                    "required": ["lat"],
                },
            },
            "required": ["city"],
        },
        "return": {"type": "string", "description": "The weather"},
    },
}
CLOCK = {
    "type": "function",
    "function": {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}},
}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text):
    return {"role": "system", "content": text}


CALL = {
    "type": "function",
    "id": "call00001",
    "function": {
        "name": "get_weather",
        "arguments": {"city": "Kyōto", "days": [1, 2], "where": {"lat": 35.0, "lon": None}, "exact": True},
    },
}
CALL_TEXT = {"type": "function", "id": "call00002", "function": {"name": "now", "arguments": "{}"}}
ANSWER = {"role": "tool", "name": "get_weather", "tool_call_id": "call00001", "content": '{"sky": "clear ☀️"}'}

CONVERSATIONS = {
    "one": {"messages": [user("Hi!"), assistant("  Hello\nthere. ")]},
    "prompt": {"messages": [user("Merhaba, nasılsın?")], "add_generation_prompt": True},
    "system": {
        "messages": [system("Be <brief> & kind."), user("こんにちは 👋"), assistant("やあ"), user("ok?"), assistant("Yes.")],
        "add_generation_prompt": True,
    },
    "turns": {"messages": [user(" a "), assistant("b"), user("c\n"), assistant("d\n\nd2"), user("e"), assistant("")]},
    "think": {
        "messages": [
            user("1+1?"),
            assistant("<think>\nIt is 2.\n</think>\n\n2"),
            user("2+2?"),
            assistant("4", reasoning_content="Add them."),
        ]
    },
    "thinking": {"messages": [user("why?")], "add_generation_prompt": True, "enable_thinking": True},
    "nothink": {"messages": [user("why?")], "add_generation_prompt": True, "enable_thinking": False},
    "tools": {
        "messages": [system("Use tools."), user("Weather?"), assistant("", tool_calls=[CALL]), ANSWER, assistant("Clear.")],
        "tools": [WEATHER, CLOCK],
    },
    "toolprompt": {
        "messages": [user("Weather?"), assistant("Let me see.", tool_calls=[CALL]), ANSWER],
        "tools": [WEATHER],
        "add_generation_prompt": True,
    },
    "toolstext": {
        "messages": [user("Time?"), assistant("", tool_calls=[CALL_TEXT, CALL]), ANSWER, ANSWER, assistant("Now.")],
        "tools": [CLOCK, WEATHER],
    },
    "parts": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "look "}, {"type": "text", "text": "here"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "I see."}]},
        ]
    },
    "images": {
        "messages": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}, {"type": "image"}]},
            assistant("A cat."),
        ]
    },
    "alternate": {"messages": [user("a"), user("b"), assistant("c"), assistant("d")]},
    "strange": {"messages": [{"role": "narrator", "content": "Once"}, user("x"), assistant("y")]},
    "developer": {"messages": [{"role": "developer", "content": "Dev."}, user("x"), assistant("y")]},
    "nocontent": {"messages": [user("x"), {"role": "assistant"}]},
    "documents": {
        "messages": [user("Sum up.")],
        "documents": [{"title": "T", "text": "Some text."}],
        "add_generation_prompt": True,
    },
}


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def render(template, given):
    given = dict(given)
    messages = chat_template_utils._alias_reasoning_fields(
        [{k: v for k, v in m.items() if v is not None} for m in given.pop("messages")]
    )
    compiled = chat_template_utils._compile_jinja_template(template)
    return chat_template_utils._render_with_assistant_indices(
        compiled_template=compiled,
        messages=messages,
        tools=given.pop("tools", None),
        documents=given.pop("documents", None),
        add_generation_prompt=given.pop("add_generation_prompt", False),
        **SPECIAL,
        **given,
    )


def expected(template, given):
    try:
        text, spans = render(template, given)
        return {"text": text, "generated": spans}
    except jinja2.exceptions.TemplateError as e:
        own = type(e) is jinja2.exceptions.TemplateError
        return {"raised": e.message} if own else {"failed": f"{type(e).__name__}: {e}"}
    except Exception as e:
        return {"failed": f"{type(e).__name__}: {e}"}


def main():
    chat_template_utils.datetime = Clock
    templates = {path.stem: path.read_text() for path in sorted(TRL.glob("*.jinja"))}
    templates["smollm2"] = SMOLLM2
    cases = [
        {"template": name, "conversation": title, **expected(template, given)}
        for name, template in templates.items()
        for title, given in CONVERSATIONS.items()
    ]
    document = {"special": SPECIAL, "templates": templates, "conversations": CONVERSATIONS, "cases": cases}
    text = json.dumps(document, ensure_ascii=False, indent=1)
    OUT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    counts = {kind: sum(kind in c for c in cases) for kind in ("text", "raised", "failed")}
    print(OUT, OUT.stat().st_size, "bytes,", len(cases), "cases", counts)
    print({c["failed"] for c in cases if "failed" in c})


if __name__ == "__main__":
    main()
