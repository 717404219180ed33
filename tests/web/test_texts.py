"""What the pages say, in both languages: the same keys, the same places to fill, and every key that the code names."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import whichpic
from whichpic.web.texts import language_of, say, texts

WEB = Path(whichpic.__file__).parent / "web"


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_say_the_same() -> None:
    english, chinese = texts("en"), texts("zh")
    assert english.keys() == chinese.keys()
    assert all(each.strip() for each in (*english.values(), *chinese.values()))
    assert {key for key, text in english.items() if places(text) != places(chinese[key])} == set()


def test_every_text_that_the_code_names_is_there() -> None:
    named = {
        node.args[0].value
        for path in WEB.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
        and (getattr(node.func, "id", "") == "say" or getattr(node.func, "attr", "") == "say")
        and isinstance(node.args[0].value, str) and " " not in node.args[0].value  # a session is said something, too
    }  # fmt: skip
    assert len(named) > 100
    assert named - texts("en").keys() == set()


def test_a_page_speaks_the_language_that_is_asked_for() -> None:
    assert language_of("zh", cookie="en", accepted="en") == "zh"
    assert language_of(None, cookie="zh", accepted="en-GB,en") == "zh"
    assert language_of(None, None, "zh-Hans-CN,zh;q=0.9,en;q=0.8") == "zh"
    assert language_of("xx", "yy", "de,zh") == "en"
    assert say("talk.fitting", "en", n=3, total=9) == "90 % sure: it is among the first 3 of 9."
