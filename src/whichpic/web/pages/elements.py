"""HTML elements for the pages: a tag, its text, its attributes, what happens on click. Called by every page.

with el("ul", cls="grid"):
    with el("li"):
        button("More like this", on_click=more, do="more")

Text and attribute values are data to Vue, never markup.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

Handler = Callable[..., Any]


def el(tag: str = "div", text: str = "", *, cls: str = "", style: str = "", **attributes: Any) -> TextElement:
    """An element. Underscores in names of attributes are hyphens (aria_label), one at the end is dropped (for_).

    An attribute that is None or False is left out (say aria_pressed="false" where false is meant); True is an attribute
    without a value. `value` is what a field begins with: what is typed later stays when the page is drawn again.
    """
    element = TextElement(tag=tag, text=text)
    if not text:
        element._text = None  # else Vue draws an empty text node before the children
    if cls:
        element.classes(cls)
    if style:
        element.style(style)
    for name, value in attributes.items():
        if value is not None and value is not False:
            element.props[_attribute(tag, name)] = "" if value is True else value
    return element


def put(element: TextElement, **attributes: Any) -> None:
    """Set attributes of an element that is there; None and False take them away."""
    for name, value in attributes.items():
        key = _attribute(element.tag, name)
        if value is None or value is False:
            element.props.pop(key, None)
        else:
            element.props[key] = "" if value is True else value
    element.update()


def button(
    text: str = "", *, on_click: Handler | None = None, cls: str = "", do: str = "", label: str = "", icon: str = "",
    **attributes: Any,
) -> TextElement:  # fmt: skip
    """A button. do: its name for page.js (data-do); label: what a screen reader says where the text is a sign.

    icon: a sign of whichpic.css (plus, minus, check, close, undo, ...), before the text.
    """
    attributes.setdefault("type", "button")
    element = el("button", "" if icon else text, cls=cls, data_do=do or None, aria_label=label or None, **attributes)
    if icon:
        with element:
            el("span", cls=f"icon icon-{icon}", aria_hidden="true")
            if text:
                el("span", text)
    if label:
        element.props["title"] = label
    if on_click is not None:
        element.on("click", on_click, args=[])
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


def field(
    label: str, *, name: str, value: str = "", kind: str = "text", seen: bool = True,
    on_enter: Callable[[str], Any] | None = None, on_change: Callable[[str], Any] | None = None, cls: str = "",
    **attributes: Any,
) -> TextElement:  # fmt: skip
    """A labelled input, or a textarea (kind="textarea"); gives back the input. name: its id.

    seen: False where the label is for screen readers only. on_enter, on_change: get what the field holds.
    """
    el("label", label, for_=name, cls="" if seen else "unseen")
    if kind == "textarea":
        box = el("textarea", value, id=name, name=name, cls=cls, **attributes)
    else:
        box = el("input", id=name, name=name, type=kind, value=value or None, cls=cls, **attributes)
    if on_enter is not None:
        # An Enter that ends the composing of a Chinese word is not meant for us.
        held = "(e) => { if (!e.isComposing && !e.shiftKey) { e.preventDefault(); emit(e.target.value); } }"
        box.on("keydown.enter", lambda event: on_enter(str(event.args or "")), js_handler=held)
    if on_change is not None:
        box.on("change", lambda event: on_change(str(event.args or "")), js_handler="(e) => emit(e.target.value)")
    return box


@contextmanager
def dialog(name: str, title: str, *, close: str, cls: str = "") -> Iterator[TextElement]:
    """A dialog with a heading and a button that closes it; Escape does, too. Inside it is its content.

    name: its id; a button with data_opens=name opens it, and so does `show`. close: the word on its button.
    """
    with el("dialog", cls=cls, id=name, aria_labelledby=f"{name}-title") as box:
        with el("form", method="dialog", cls="dialog-head"):
            heading(2, title, id=f"{name}-title")
            button(icon="close", label=close, cls="quiet", type="submit", do="close")
        # What scrolls has to be reached by the Tab key, also where nothing in it can be.
        with el("div", cls="dialog-body", tabindex="0", role="group", aria_labelledby=f"{name}-title"):
            yield box


def show(name: str) -> None:
    """Open the dialog of this id, in the browser of the page that is drawn now."""
    ui.run_javascript(f"const d = document.getElementById({json.dumps(name)}); if (d && !d.open) d.showModal();")


def hide(name: str) -> None:
    """Close the dialog of this id."""
    ui.run_javascript(f"document.getElementById({json.dumps(name)})?.close();")


def _attribute(tag: str, name: str) -> str:
    # To Vue ^value is the attribute, and value the property, which it would set anew at every drawing.
    return "^value" if name == "value" and tag == "input" else name.rstrip("_").replace("_", "-")
