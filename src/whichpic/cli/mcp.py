"""`whichpic mcp`: an album as tools for assistants, over the Model Context Protocol."""

from __future__ import annotations

import secrets
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from whichpic.cli.chat import ChatOption, opened_chat
from whichpic.cli.index import EncoderOption, FolderArgument, StoreOption
from whichpic.cli.open import fetch, say_encoder
from whichpic.cli.output import note
from whichpic.errors import ExtraMissing


def mcp(
    album: FolderArgument,
    http: Annotated[bool, typer.Option("--http", help="Serve HTTP on loopback instead of standard input.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of --http.")] = 8766,
    token: Annotated[
        str, typer.Option(envvar="WHICHPIC_TOKEN", help="Of --http; without it one is made and shown.")
    ] = "",
    asker: Annotated[
        str, typer.Option(help="Who proposes questions: facts, pick; with a model captions, pictures.")
    ] = "facts",
    encoder: EncoderOption = "auto",
    store: StoreOption = None,
    chat: ChatOption = "",
) -> None:
    """Let an assistant search an album: its tools are find, begin, say, answer, mark, why, look, undo and choose.

    Example, as an assistant's configuration has it: {"command": "whichpic", "args": ["mcp", "/home/me/Pictures"]}

    Over HTTP: whichpic mcp ~/Pictures --http; the address and the token are said on standard error.
    """
    if find_spec("mcp") is None:
        raise ExtraMissing("whichpic mcp", "mcp")
    from whichpic.web import mcp as tools
    from whichpic.web import serving
    from whichpic.web.desk import Desk
    from whichpic.web.shelf import opened
    from whichpic.web.site import Site
    from whichpic.web.talks import Talks

    model = opened_chat(chat)
    shelf, desk = opened([Path(album)], encoder=encoder, store=store, fetch=fetch), Desk()
    talks = Talks(shelf, desk, asker=asker, chat=model)
    with closing(Site(shelf, talks, desk)):
        shelved = shelf.first
        say_encoder(shelved.album.encoder)
        if shelved.ready:
            shelved.album.session(asker=asker, chat=model, keep=False)  # a wrong name is told now
        else:
            note(f"{shelved.title} is not indexed yet; doing it now, and what is there can be searched meanwhile")
            shelved.start()
        made = tools.server(tools.Tools(talks, shelved.name))
        if http:
            token = token or secrets.token_urlsafe(24)
            app = tools.guarded(made, token=token)
            with serving.bound("127.0.0.1", port) as listening:
                note(f"http://127.0.0.1:{port}/mcp\nAuthorization: Bearer {token}")
                serving.run(app, listening)
        else:
            made.run("stdio")
    serving.leave()
