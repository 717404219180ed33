"""A session to take along: as JSON, and as one HTML page that needs nothing else. Called by pages, api and `whichpic talk`.

The page has no scripts and asks no network; its pictures are inside. Nothing here needs the extra `web`.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.dialogue.events import effective, filters_of, to_json
from whichpic.errors import SessionError, WhichpicError
from whichpic.evaluate.pages import POLICY
from whichpic.evaluate.tables import escape, plain
from whichpic.evaluate.worse import Look, Pictures
from whichpic.web.steps import base_name, of_session
from whichpic.web.texts import HTML_LANGUAGE
from whichpic.web.texts import say as text_of
from whichpic.web.views import alt_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from whichpic.api import Album
    from whichpic.dialogue import Session
    from whichpic.search.gallery import Gallery
    from whichpic.web.steps import Step, Steps
    from whichpic.web.talk import Talk
    from whichpic.web.texts import Language

    Opened = Callable[[str], Image]

_THUMB = 160  # pixels of a picture in a list
_LARGE = 800  # of the one that was found
_ABSOLUTE = re.compile(r"(?<![\w.-])(?:[A-Za-z]:[\\/]|[\\/~])[^\s|,;'\"]*")


def session_json(talk: Talk) -> dict[str, Any]:
    """The header and the records of a session as its file has them, and the names of its pictures."""
    return plain_session(talk.twin())


def session_html(talk: Talk, language: Language = "en") -> str:
    """One page: the conversation turn by turn, with the pictures that were shown."""
    shelved = talk.shelved
    opened = None if shelved.captions_only else shelved.album.store.image
    return page_of(talk.twin(), title=shelved.title, opened=opened, language=language)


def write_page(album: Album, session: Session, path: Path) -> Path:
    """Write the page of a session that is not served. Raises SessionError where that is not possible."""
    opened = None if album.store.captions_only else album.store.image
    language: Language = "zh" if session.language_now == "zh" else "en"
    page = page_of(session, title=album.store.root.name, opened=opened, language=language)
    try:
        path.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise SessionError(f"the session cannot be written to {path}: {error.strerror or error}") from None
    return path


def plain_session(session: Session) -> dict[str, Any]:
    """A session as plain JSON values. Where pictures from outside the album lay is left out."""
    gallery = session.gallery
    header, records = plain_lines(session)
    names = {id: name_of(gallery, id) for id in _pictures_of(session) if id in gallery.positions}
    return {**header, "query": session.query, "records": records, "pictures": names}


def plain_lines(session: Session) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and records as the session's file has them, but for where things lie on this machine."""
    records = [to_json(record) for record in session.records]
    for record in records:
        for term in record["event"].get("terms", ()):
            if term.get("name"):
                term["name"] = base_name(term["name"])
    return {**session.header, "encoder": without_paths(session.gallery.encoder.id)}, records


def page_of(
    session: Session, *, title: str, opened: Opened | None = None, language: Language = "en", shown: int = 12
) -> str:
    """The page. opened: a picture by its id; without it the page has captions or names instead."""
    steps = of_session(session, shown=shown)
    pictures = Pictures(_looks(session.gallery, opened))
    if steps.target:
        pictures.thumb(steps.target)  # the budget may end before what was shown does
    turns = "".join(_step(step, k, steps, pictures, language) for k, step in enumerate(steps.steps))
    found = _found(session, steps, opened, language)
    settings = _settings(session, title, language)
    first = next((step.said for step in steps.steps if step.said), "")
    heading = plain(session.query or first or text_of("export.empty", language))[:200]
    lead = text_of("export.lead.found" if steps.target else "export.lead.open", language,
                   turns=len(steps.steps), total=f"{session.gallery.n:,}", album=plain(title))  # fmt: skip
    left_out = f'<p class="note">{_text("export.left_out", language)}</p>' if pictures.left_out else ""
    data = Path(__file__).parents[1] / "data"
    style = "".join((data / name).read_text(encoding="utf-8") for name in ("report.css", "session.css"))
    return (
        f'<!doctype html>\n<html lang="{HTML_LANGUAGE[language]}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(heading)} · whichpic</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#content">{_text("skip", language)}</a>\n{pictures.sprite()}\n'
        f'<header class="top">\n<p class="eyebrow">{_text("export.eyebrow", language)}</p>\n'
        f'<h1><bdi>{escape(heading)}</bdi></h1>\n<p class="lead">{escape(lead)}</p>\n</header>\n'
        f'<main id="content">\n{found}'
        f'<section aria-labelledby="h-turns"><h2 id="h-turns">{_text("export.turns", language)}</h2>\n'
        f'<ol class="said">{turns}</ol>{left_out}</section>\n'
        f'<section aria-labelledby="h-settings"><h2 id="h-settings">{_text("export.settings", language)}</h2>\n'
        f"{settings}</section>\n</main>\n<footer><p>{_text('export.foot', language)}</p></footer>\n</body>\n</html>\n"
    )


def name_of(gallery: Gallery, picture: str) -> str:
    """The path of a picture inside the album, else its id."""
    known = gallery.pictures[gallery.positions[picture]]
    return plain(known.paths[0] if known.paths else known.id)


def without_paths(text: str) -> str:
    """A text with only the last part of every path of a machine that is in it."""
    return _ABSOLUTE.sub(lambda found: base_name(found[0]), text)


# ---- parts of the page


def _step(step: Step, k: int, steps: Steps, pictures: Pictures, language: Language) -> str:
    """One turn: what was asked and said at the left, in words; then the list after it."""
    parts = [f'<p class="kind">{_text(f"replay.kind.{step.kind}", language)}</p>']
    if step.asked:
        parts.append(f'<p class="asked"><bdi>{escape(step.asked)}</bdi></p>')
    if step.choices:
        options = "".join(_choice(k == step.choice, each.text, each.picture, pictures, language)
                          for k, each in enumerate(step.choices))  # fmt: skip
        parts.append(f'<ul class="options">{options}</ul>')
    if step.unsure:
        parts.append(f'<p class="answer">{_text("replay.unsure", language)}</p>')
    if step.said:
        parts.append(f'<p class="words"><bdi>{escape(step.said)}</bdi></p>')
    elif step.kind == "filtered":
        parts.append(f'<p class="words">{_text("replay.lifted", language)}</p>')
    for key, ids in (("more", step.more), ("less", step.less)):
        if ids:
            name = "replay.this" if step.kind == "chosen" else f"replay.{key}"
            parts.append(
                f'<p class="note">{_text(name, language)}</p>{_list(ids, "", pictures, _text(name, language))}'
            )
    if step.rewritten:
        parts.append(f'<p class="note">{_text("replay.rewritten", language)} <bdi>{escape(step.rewritten)}</bdi></p>')
    if step.shown and step.kind != "chosen":
        parts.append(_list(step.shown, steps.target, pictures, _text("replay.shown", language)))
    rank = "" if step.rank is None else escape(text_of("replay.rank", language, rank=rank_said(step.rank)))
    return f'<li><div class="rank">{_text("replay.turn", language, n=k)}<b>{rank}</b></div><div>{"".join(parts)}</div></li>\n'


def _choice(chosen: bool, text: str, picture: str, pictures: Pictures, language: Language) -> str:
    thumb = pictures.thumb(picture) if picture else ""
    inside = thumb or f"<bdi>{escape(pictures.look(picture).caption or text if picture else text)}</bdi>"
    mark = f' <span class="mark">✓ {_text("replay.answer", language)}</span>' if chosen else ""
    return f"<li{' class=aim' if chosen else ''}>{inside}{mark}</li>"


def _list(ids: tuple[str, ...], target: str, pictures: Pictures, label: str) -> str:
    thumbs, words = [], []
    for picture in ids:
        aim = ' class="aim"' if picture == target else ""
        look = pictures.look(picture)
        if thumb := pictures.thumb(picture):
            thumbs.append(f"<li{aim}>{thumb}</li>")
        else:
            words.append(f"<li{aim}><bdi>{escape((look.caption or look.name or picture)[:200])}</bdi></li>")
    pictured = f'<ul class="thumbs" aria-label="{label}">{"".join(thumbs)}</ul>' if thumbs else ""
    return pictured + (f'<ol class="captions" aria-label="{label}">{"".join(words)}</ol>' if words else "")


def _found(session: Session, steps: Steps, opened: Opened | None, language: Language) -> str:
    """The picture that was found, large where it can be had."""
    if not steps.target or steps.target not in session.gallery.positions:
        return ""
    gallery = session.gallery
    name, told = name_of(gallery, steps.target), alt_of(gallery, steps.target)
    image = ""
    if opened is not None and (jpeg := _jpeg(opened, steps.target, _LARGE)) is not None:
        url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
        image = f'<img src="{url}" alt="{escape(told or name)}">'
    caption = f"<bdi>{escape(told)}</bdi><br>" if told and not image else ""
    return (
        f'<section aria-labelledby="h-found"><h2 id="h-found">{_text("export.found", language)}</h2>\n'
        f'<figure class="found">{image}<figcaption>{caption}<bdi>{escape(name)}</bdi></figcaption></figure></section>\n'
    )


def _settings(session: Session, title: str, language: Language) -> str:
    from whichpic import __version__

    filters = " ".join(filters_of(effective(session.records)))
    rows = {
        "album": title,
        "pictures": f"{session.gallery.n:,}",
        "encoder": without_paths(session.gallery.encoder.id),
        "rewriter": session.settings.rewriter,
        "asker": session.asker,
        "filters": filters,
        "began": session.records[0].at if session.records else "",
        "session": session.id,
        "version": f"whichpic {__version__}",
    }
    lines = "".join(
        f'<tr><th scope="row">{_text(f"export.set.{name}", language)}</th><td><bdi>{escape(value)}</bdi></td></tr>'
        for name, value in rows.items()
        if value
    )
    return f'<div class="table prose"><table><tbody>{lines}</tbody></table></div>\n'


def rank_said(rank: float) -> str:
    """A rank in print: ties by half."""
    return f"{rank:,.0f}" if rank == int(rank) else f"{rank:,.1f}"


def _text(key: str, language: Language, **values: object) -> str:
    return escape(text_of(key, language, **values))


# ---- pictures


def _looks(gallery: Gallery, opened: Opened | None) -> Callable[[str], Look | None]:
    def look(picture: str) -> Look | None:
        if picture not in gallery.positions:
            return None
        jpeg = None if opened is None else _jpeg(opened, picture, _THUMB)
        return Look(name_of(gallery, picture), plain(alt_of(gallery, picture)), jpeg)

    return look


def _jpeg(opened: Opened, picture: str, side: int) -> bytes | None:
    """The bytes; None where the file has gone since, or cannot be read."""
    with suppress(OSError, WhichpicError):
        image = opened(picture).convert("RGB")
        image.thumbnail((side, side))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=82)
        return buffer.getvalue()
    return None


def _pictures_of(session: Session) -> list[str]:
    """Ids of the pictures that the records name."""
    found: list[str] = []

    def visit(value: object) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, Mapping):
            for each in value.values():
                visit(each)
        elif isinstance(value, list | tuple):
            for each in value:
                visit(each)

    visit([to_json(record) for record in session.records])
    return list(dict.fromkeys(found))
