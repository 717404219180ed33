"""HTML elements for the pages: a tag, its text, its attributes, what happens on click. Called by every page.

with el("ul", cls="grid"):
    with el("li"):
        button("More like this", on_click=more, do="more")

Text and attribute values are data to Vue, never markup.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui.elements.mixins.text_element import TextElement

Handler = Callable[..., Any]


def el(tag: str = "div", text: str = "", *, cls: str = "", **attributes: Any) -> TextElement:
    """An element. Underscores in names of attributes are hyphens (aria_label), one at the end is dropped (for_).

    An attribute that is None or False is left out; True is an attribute without a value.
    """
    element = TextElement(tag=tag, text=text)
    if not text:
        element._text = None  # else Vue draws an empty text node before the children
    if cls:
        element.classes(cls)
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        element.props[name.rstrip("_").replace("_", "-")] = "" if value is True else value
    return element


def button(
    text: str = "", *, on_click: Handler | None = None, cls: str = "", do: str = "", label: str = "", **attributes: Any
) -> TextElement:
    """A button. do: its name for page.js (data-do); label: what a screen reader says where the text is a sign."""
    element = el("button", text, cls=cls, type="button", data_do=do or None, aria_label=label or None, **attributes)
    if label:
        element.props["title"] = label
    if on_click is not None:
        element.on("click", on_click)
    return element


def link(text: str, to: str, *, cls: str = "", **attributes: Any) -> TextElement:
    """A link to an address of ours."""
    return el("a", text, cls=cls, href=to, **attributes)


def heading(level: int, text: str, *, cls: str = "", **attributes: Any) -> TextElement:
    """A heading, h1 to h6."""
    return el(f"h{level}", text, cls=cls, **attributes)


def said(politely: bool = True, *, cls: str = "") -> TextElement:
    """A live region: what is put into it is read out."""
    return el("p", cls=f"said {cls}".strip(), role="status" if politely else "alert")
