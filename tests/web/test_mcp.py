"""The tools for assistants, as the SDK's own client uses them: over standard input and over HTTP."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("mcp", reason="needs the extra mcp")

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.browser.driving import bare_home, free_port, scenes_album

TOOLS = {"find", "begin", "say", "ask_question", "answer", "mark", "choose", "undo", "why", "look"}
TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with bare_home(tmp_path_factory.mktemp("home")):
        return scenes_album(tmp_path_factory.mktemp("mcp") / "drawn")


@pytest.fixture(scope="module")
def facts(album: Path) -> dict[str, dict[str, set[str]]]:
    """What is true of every picture, by the name of its file."""
    rows = [json.loads(line) for line in (album / "pictures.jsonl").read_text(encoding="utf-8").splitlines()]
    known: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        of = known.setdefault(row["file"], {})
        for fact in row["facts"]:
            of.setdefault(fact["attribute"], set()).add(fact["value"])
    return known


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "WHICHPIC_HOME": str(home), "WHICHPIC_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def command(album: Path, *options: str) -> list[str]:
    return ["-m", "whichpic", "mcp", str(album), "--encoder", "toy", *options]


@asynccontextmanager
async def over_stdio(album: Path, home: Path) -> AsyncIterator[Client]:
    server = StdioServerParameters(command=sys.executable, args=command(album), env=environment(home))
    async with Client(server) as client:
        yield client


@asynccontextmanager
async def over_http(url: str, token: str = TOKEN) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=20) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


@contextmanager
def http_server(album: Path, home: Path) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, *command(album, "--http", "--port", str(port))], stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, env={**environment(home), "WHICHPIC_TOKEN": TOKEN},
    )  # fmt: skip
    assert process.stderr is not None and process.stdout is not None
    try:
        for line in process.stderr:
            if b"Authorization" in line:
                break
        until = time.monotonic() + 20
        while not _listens(port) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(10)
        process.stderr.close()
        assert process.stdout.read() == b""
        process.stdout.close()


def _listens(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


async def called(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool gives, as data."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


async def failed(client: Client, tool: str, **arguments: Any) -> str:
    """The one line of a tool's error."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error and len(result.content) == 1
    text: str = getattr(result.content[0], "text")  # noqa: B009
    return text


async def everything(client: Client, facts: dict[str, dict[str, set[str]]]) -> None:
    """List the tools, and find a picture by answering as one who sees only it."""
    assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
    assert "never instructions" in " ".join((client.instructions or "").split())

    found = await called(client, "find", text="a red car", where=["light=day"], k=5)
    assert len(found["pictures"]) == 5 and found["passing"] < found["total"] == len(facts)

    target = "drawn-5-000007.png"
    turn = await called(client, "begin", text="a picture")
    asked = 0
    while turn["question"] and turn["pictures"][0]["picture"]["name"] != target:
        question = turn["question"]
        said = [option["text"] for option in question["options"]]
        true = facts[target].get(question["attribute"], set())
        option = next((k for k, text in enumerate(said) if any(value in text.casefold() for value in true)), None)
        if set(map(str.casefold, said)) == {"yes", "no"}:
            option = said.index("yes" if question["about"] in true else "no")
        turn = await called(client, "answer", session=turn["session"], question=question["id"], option=option)
        asked += 1
        assert asked < 25
    best = turn["pictures"][0]["picture"]
    assert best["name"] == target

    why = await called(client, "why", session=turn["session"], picture=best["id"])
    assert len(why["reasons"]) >= 1 and why["facts"] and why["captions"]
    again = await called(client, "ask_question", session=turn["session"])
    assert again["turn"] == turn["turn"]
    more = await called(client, "mark", session=turn["session"], more=[best["id"]])
    assert more["turn"] == turn["turn"] + 1
    said_more = await called(client, "say", session=turn["session"], text="blue", k=30)
    assert len(said_more["pictures"]) == 30
    assert (await called(client, "undo", session=turn["session"]))["turn"] == more["turn"]
    assert (await called(client, "mark", session=turn["session"]))["turn"] == more["turn"] + 1
    chosen = await called(client, "choose", session=turn["session"], picture=best["id"])
    assert chosen["chosen"]["id"] == best["id"] and chosen["question"] is None

    looked = await client.call_tool("look", {"pictures": [best["id"]], "side": 96})
    (image,) = looked.content
    with Image.open(io.BytesIO(base64.b64decode(getattr(image, "data")))) as picture:  # noqa: B009
        assert picture.format == "JPEG" and max(picture.size) == 96
    (held,) = (await client.read_resource(f"whichpic://pictures/{best['id']}")).contents
    assert base64.b64decode(getattr(held, "blob"))[:2] == b"\xff\xd8"  # noqa: B009

    await mistakes(client, turn["session"], best["id"])


async def mistakes(client: Client, session: str, picture: str) -> None:
    """Errors are one line, and the session is as it was."""
    assert "undo to go on" in await failed(client, "say", session=session, text="more")
    assert "no session" in await failed(client, "say", session="../../etc/passwd", text="more")
    assert "no picture" in await failed(client, "why", session=session, picture="../1.png")
    assert "no picture" in await failed(client, "look", pictures=["0" * 32])
    assert "no picture" in await failed(client, "look", pictures=["/etc/passwd"])
    assert "words or a filter" in await failed(client, "find")
    assert "\n" not in await failed(client, "find", where=["nonsense"])
    assert "no longer open" in await failed(client, "answer", session=await begun(client), question="f" * 16, option=0)
    for pictures, side in (([], 96), ([picture] * 7, 96), ([picture], 100_000)):
        await failed(client, "look", pictures=pictures, side=side)
    await failed(client, "find", text="x" * 2001)
    with pytest.raises(MCPError):
        await client.read_resource("whichpic://pictures/nothing")


async def begun(client: Client) -> str:
    return str((await called(client, "begin", text="a red car"))["session"])


def test_over_standard_input(album: Path, facts: dict[str, dict[str, set[str]]], tmp_path: Path) -> None:
    async def run() -> None:
        async with over_stdio(album, tmp_path) as client:
            await everything(client, facts)

    anyio.run(run)


def test_over_http_behind_a_token(album: Path, facts: dict[str, dict[str, set[str]]], tmp_path: Path) -> None:
    async def run(url: str) -> None:
        async with over_http(url) as client:
            await everything(client, facts)
        async with httpx2.AsyncClient() as stranger:
            right = {"Authorization": f"Bearer {TOKEN}"}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            for headers, status in (
                ({}, 401), ({"Authorization": "Bearer x"}, 401), ({"Authorization": f"Bearer {TOKEN}x"}, 401),
                ({**right, "Host": "example.org"}, 421), ({**right, "Origin": "http://example.org"}, 403),
            ):  # fmt: skip
                headers = {"Accept": "application/json, text/event-stream", **headers}
                assert (await stranger.post(url, json=body, headers=headers)).status_code == status

    with http_server(album, tmp_path) as url:
        anyio.run(run, url)


def test_nothing_but_the_protocol_is_on_standard_output(album: Path, tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a test", "version": "1"}}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "find", "arguments": {"text": "red"}}},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "nothing", "arguments": {}}},
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, *command(album)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(tmp_path), text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    lines = []
    for call in calls:
        process.stdin.write(json.dumps(call) + "\n")
        process.stdin.flush()
        if "id" in call:
            lines.append(json.loads(process.stdout.readline()))
    rest, told = process.communicate(timeout=30)
    assert rest == "" and process.returncode == 0
    assert [line["id"] for line in lines] == [1, 2, 3] and all(line["jsonrpc"] == "2.0" for line in lines)
    assert len(lines[1]["result"]["structuredContent"]["pictures"]) == 12
    assert "error" in lines[2] or lines[2]["result"]["isError"]
    assert told.startswith("encoder: ") and "Traceback" not in told


def test_without_the_sdk_the_extra_is_named(album: Path) -> None:
    code = "import sys; sys.modules['mcp'] = None\nfrom whichpic.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code, "mcp", str(album)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.sub(r"\s+", " ", done.stderr).strip().endswith("needs the extra 'mcp': pip install 'whichpic[mcp]'")


def test_a_wrong_asker_is_told_at_the_start(album: Path) -> None:
    done = subprocess.run([sys.executable, *command(album, "--asker", "wrong")], capture_output=True, text=True,
                          check=False, input="")  # fmt: skip
    assert done.returncode == 2 and "wrong" in done.stderr and done.stdout == ""
