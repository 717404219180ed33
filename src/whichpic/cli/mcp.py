"""`whichpic mcp`: an album as tools for assistants, over the Model Context Protocol."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from whichpic.cli.chat import ChatOption, opened_chat
from whichpic.cli.index import EncoderOption, FolderArgument, StoreOption
from whichpic.cli.open import fetch, say_encoder
from whichpic.cli.output import note
from whichpic.errors import ExtraMissing, SessionError


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
        raise ExtraMissing("the tools for assistants (whichpic mcp)", "mcp")
    from whichpic.web import mcp as tools
    from whichpic.web.desk import Desk
    from whichpic.web.shelf import opened
    from whichpic.web.talks import Talks

    model = opened_chat(chat)
    desk = Desk()
    shelf = opened([Path(album)], encoder=encoder, store=store, fetch=fetch)
    try:
        shelved = shelf.first
        say_encoder(shelved.album.encoder)
        shelved.album.session(
            asker=asker, chat=model, keep=False
        ) if shelved.ready else None  # a wrong name is told now
        if not shelved.ready:
            note(f"{shelved.title} is not indexed yet; doing it now, and what is there can be searched meanwhile")
            shelved.start()
        made = tools.server(tools.Tools(Talks(shelf, desk, asker=asker, chat=model), shelved.name))
        if http:
            _serve(tools.guarded(made, token=(token := token or _fresh())), port, token)
        else:
            made.run("stdio")
    finally:
        desk.close()
        shelf.close()


def _fresh() -> str:
    import secrets

    return secrets.token_urlsafe(24)


def _serve(app: object, port: int, token: str) -> None:
    import uvicorn

    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="on")  # type: ignore[arg-type]
    note(f"http://127.0.0.1:{port}/mcp\nAuthorization: Bearer {token}")
    server = uvicorn.Server(config)
    try:
        server.run()
    except SystemExit:
        raise SessionError(f"port {port} cannot be had; choose another with --port") from None
