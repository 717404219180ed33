"""The commands, put together. Called by `cli.main`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from whichpic.cli import (
    ask,
    batch,
    demo,
    describe,
    exchange,
    find,
    fit,
    index,
    mcp,
    models,
    prompts,
    report,
    scenes,
    score,
    serve,
    simulate,
    talk,
    told,
)


class _Commands(TyperGroup):
    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer has its own copy of click's types
        with told():
            return super().invoke(ctx)


app = typer.Typer(
    name="whichpic",
    cls=_Commands,
    help="Find the picture in your head by talking about it.\n\n"
    "Begin with: whichpic index ~/Pictures, then: whichpic talk ~/Pictures",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command("index")(index.index)
app.command("find")(find.find)
app.command("talk")(talk.talk)
app.command("facts")(find.facts)
app.command("show")(index.show)
app.command("ask")(ask.ask)
app.command("describe")(describe.describe)
app.command("batch")(batch.batch)
app.command("import")(exchange.import_)
app.command("export")(exchange.export)
app.command("prompts")(prompts.prompts)
app.add_typer(models.app, name="models")
app.command("doctor")(models.doctor)
app.command("demo")(demo.demo)
app.command("scenes")(scenes.scenes)
app.command("simulate")(simulate.simulate)
app.command("fit")(fit.fit)
app.command("score")(score.score)
app.command("report")(report.report)
app.command("serve")(serve.serve)
app.command("mcp")(mcp.mcp)


def _version(value: bool) -> None:
    if value:
        from whichpic import __version__

        print(f"whichpic {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
