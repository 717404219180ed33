"""`whichpic serve`: albums as pages in the browser, with an HTTP API."""

from __future__ import annotations

import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from whichpic.cli.chat import (
    AdapterOption,
    AllowCodeOption,
    AskerOption,
    ChatCacheOption,
    ChooserOption,
    DeadlineOption,
    FeedbackOption,
    LlmOption,
    PrecisionOption,
    RerankOption,
    RewriterOption,
    SamplerOption,
    opened_chat,
)
from whichpic.cli.index import EncoderOption, StoreOption
from whichpic.cli.open import ensure_seer, fetch, say_encoder
from whichpic.cli.output import note, quoted
from whichpic.cli.thinking import check_models
from whichpic.errors import AlbumError, ExtraMissing

if TYPE_CHECKING:
    from whichpic.web.shelf import Shelf

USUAL_REPORTS = ("reports", "runs")


def serve(
    albums: Annotated[
        list[Path], typer.Argument(metavar="ALBUM...", help="Folders of pictures, or data sets of captions.")
    ],
    host: Annotated[
        str, typer.Option(help="Where to listen. Any other address than this needs a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="8080 or the next that is free; 0: any that is free.")
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            envvar="WHICHPIC_TOKEN", help="What visitors have to know. Made and shown where --host needs one."
        ),
    ] = "",
    host_name: Annotated[
        list[str] | None, typer.Option(help="A name that visitors call this server by; may be given again.")
    ] = None,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = False,
    index: Annotated[bool, typer.Option("--index/--no-index", help="Bring the index up to date meanwhile.")] = True,
    encoder: EncoderOption = "auto",
    store: StoreOption = None,
    chat: Annotated[
        list[str] | None,
        typer.Option(
            "--chat",
            help="A model, named as in `talk`; may be given again. Pictures are talked about with all; the first also asks. "
            "Without it that of WHICHPIC_CHAT.",
        ),
    ] = None,
    llm: LlmOption = "",
    asker: AskerOption = "facts,pick",
    chooser: ChooserOption = "eig",
    rewriter: RewriterOption = "",
    rerank: RerankOption = 0,
    sampler: SamplerOption = "cluster",
    feedback: FeedbackOption = True,
    deadline: DeadlineOption = None,
    chat_cache: ChatCacheOption = None,
    adapter: AdapterOption = None,
    precision: PrecisionOption = "auto",
    allow_code: AllowCodeOption = None,
    reports: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of reports and dialogues; may be given again. Default: reports and runs, if there."
        ),
    ] = None,
) -> None:
    """Serve albums as pages: find a picture in the browser, and talk about one.

    Example: whichpic serve ~/Pictures

    \b
    With a model: whichpic serve ~/Pictures --chat ollama:qwen2.5vl --asker pictures
    For a network: whichpic serve ~/Pictures --host 0.0.0.0

    Only this machine reaches it, unless --host says otherwise; then visitors need the token that is shown.
    """
    if find_spec("fastapi") is None or find_spec("nicegui") is None or find_spec("uvicorn") is None:
        raise ExtraMissing("whichpic serve", "web")
    from whichpic.settings import settings
    from whichpic.web import serving
    from whichpic.web.app import build
    from whichpic.web.desk import Desk
    from whichpic.web.guard import Rules, is_loopback
    from whichpic.web.shelf import opened
    from whichpic.web.site import Site
    from whichpic.web.talks import Talks

    for folder in reports or ():
        if not folder.expanduser().is_dir():
            raise AlbumError(f"{folder} is no folder of reports; name one, as whichpic report --out makes it")
    made_up = not token and not is_loopback(host)
    rules = Rules.of(host, token=_fresh() if made_up else token, names=host_name or ())
    names = [name for name in dict.fromkeys(chat or [settings().chat]) if name.strip().casefold() not in ("", "none")]
    options: dict[str, Any] = {"adapter": adapter, "precision": precision, "allow_code": allow_code}
    model = opened_chat(names[0] if names else "", llm=llm, cache=chat_cache, **options)
    check_models(model, rewriter=rewriter, rerank=rerank)
    given = {name: options[name] for name in ("precision", "allow_code") if options[name] not in (None, "auto")}
    asking: dict[str, Any] = {"asker": asker, "choose_by": chooser, "rewriter": rewriter, "rerank": rerank,
                              "sampler": sampler, "feedback": feedback, "deadline": deadline, "chat": model}  # fmt: skip
    with serving.bound(host, port) as listening:
        shelf, desk = opened(albums, encoder=encoder, store=store, fetch=fetch), Desk()
        site = Site(
            shelf, Talks(shelf, desk, **asking), desk, models=names, opened=[model] if names else [], options=given,
            reports=[folder.expanduser() for folder in reports] if reports else _usual(),
        )  # fmt: skip
        with closing(site):
            _checked(shelf, asking, index=index)
            serving.warm(shelf)
            address = serving.address(listening, host)

            def ready() -> None:
                _say(shelf, address, rules.token if made_up else "", token=bool(token))
                if index:
                    for shelved in shelf:
                        shelved.start()
                if browser:
                    _show(address, rules.token)

            serving.run(build(site, rules=rules), listening, ready=ready)
    note("ended")
    serving.leave()


def _checked(shelf: Shelf, asking: dict[str, Any], *, index: bool) -> None:
    """What is wrong with the options is said now, and not to the first visitor; and what each album needs, fetched."""
    from whichpic.dialogue import Session

    for number, shelved in enumerate(shelf):
        if number == 0:
            say_encoder(shelved.album.encoder)
        if shelved.ready:
            Session(shelved.gallery, **asking)
        elif index:
            note(f"{shelved.title} is not indexed yet: what is there can be searched while it is being done")
            ensure_seer(shelved.album)
        else:
            folder = quoted(shelved.album.store.root)
            raise AlbumError(f"{shelved.title} is not indexed: leave --no-index out, or first: whichpic index {folder}")


def _say(shelf: Shelf, address: str, made_up: str, *, token: bool) -> None:
    names = ", ".join(
        f"{each.title} ({f'{each.gallery.n:,}' if each.ready else 'no'} pictures{'' if each.ready else ' yet'})"
        for each in shelf
    )
    place = f"{address}/?token={quote(made_up)}" if made_up else address
    print(f"serving {names} at {place}{' to who knows the token' if token else ''}  (Ctrl-C ends it)")
    sys.stdout.flush()


def _show(address: str, token: str) -> None:
    import webbrowser

    webbrowser.open(address + (f"/?token={quote(token)}" if token else "/"))


def _usual() -> list[Path]:
    return [Path(name) for name in USUAL_REPORTS if Path(name).is_dir()]


def _fresh() -> str:
    import secrets

    return secrets.token_urlsafe(24)
