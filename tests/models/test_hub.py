"""The hub as a source: mirrors, offline mode, ModelScope's addresses, against a tiny hub on the loopback interface."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from tests.models.servers import COMMIT, Server
from whichpic.encoders import default_name, open_encoder
from whichpic.errors import EncoderError, ModelError
from whichpic.models import MODELS, File, Hub, Model, check, get, have, hub, locate
from whichpic.settings import settings

FILES = {"config.json": b"{}", "onnx/text_model.onnx": b"T" * 1000, "onnx/vision_model.onnx": b"V" * 2000}


def row(*, revision: str | None = None, sha256: str | None = None) -> Model:
    files = tuple(File(path, path, sha256 if path == "config.json" else None) for path in FILES)
    return Model("tiny", "encoder", "for tests", (Hub("them/tiny", files, revision, 3002),), "MIT", "nowhere", 3002)


@pytest.fixture(autouse=True)
def tiny(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, content in FILES.items():
        for revision in ("main", COMMIT):
            server.files[f"/them/tiny/resolve/{revision}/{path}"] = content
        server.files[f"/models/them/tiny/resolve/master/{path}"] = content
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setitem(MODELS, "tiny", row())


def test_files_come_from_the_mirror_and_their_revision_is_recorded(server: Server) -> None:
    folder = get("tiny")
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {*FILES, "record.json"}
    record = json.loads((folder / "record.json").read_text())
    assert record["revision"] == COMMIT and record["pinned"] is False and server.url in record["origin"]
    assert [result.finding for result in check("tiny")] == ["as recorded when it was fetched"] * 3


@pytest.mark.parametrize("form", ['"{}"', " {}/ ", "“{}”"])
def test_quotes_and_spaces_around_the_mirror_do_no_harm(form: str, server: Server) -> None:
    program = (
        "from whichpic.models import MODELS, File, Hub, Model, get\n"
        "hub = Hub('them/tiny', (File('config.json', 'config.json'),), None, 2)\n"
        "MODELS['t'] = Model('t', 'encoder', 'x', (hub,), 'MIT', 'x', 2)\n"
        "print(get('t'))"
    )
    environment = os.environ | {"HF_ENDPOINT": form.format(server.url)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any(line.startswith("GET /them/tiny") for line in server.log)


def test_a_pinned_revision_is_the_one_asked_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "tiny", row(revision=COMMIT))
    get("tiny")
    assert not [line for line in server.log if "/main/" in line]


def test_no_token_is_sent_to_a_mirror(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    heard: list[str] = []
    original = server._server.RequestHandlerClass.send_response  # type: ignore[attr-defined]

    def listen(self: object, *given: object) -> None:
        heard.append(str(self.headers))  # type: ignore[attr-defined]
        original(self, *given)

    monkeypatch.setattr(server._server.RequestHandlerClass, "send_response", listen)
    get("tiny")
    assert heard and not any("canary" in headers for headers in heard)


def test_another_content_than_the_table_states_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "tiny", row(sha256="0" * 64))
    with pytest.raises(ModelError, match=r"config\.json of 'tiny' is not what the table states"):
        get("tiny")
    assert not have("tiny")
    monkeypatch.setitem(MODELS, "tiny", row(sha256=hashlib.sha256(b"{}").hexdigest()))
    assert check(get("tiny").name)[0].finding == "as the table states"


def test_a_missing_file_or_hub_is_one_line_with_the_page(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    del server.files[f"/them/tiny/resolve/{COMMIT}/onnx/vision_model.onnx"]
    with pytest.raises(ModelError, match=r"https://huggingface\.co/them/tiny.*whichpic models add") as caught:
        get("tiny")
    assert "\n" not in str(caught.value) and not have("tiny")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ModelError, match="could not be fetched"):
        get("tiny")


def test_what_was_fetched_before_a_break_is_not_fetched_again(server: Server) -> None:
    wanted = f"/them/tiny/resolve/{COMMIT}/onnx/vision_model.onnx"
    content = server.files.pop(wanted)
    with pytest.raises(ModelError):
        get("tiny")
    server.files[wanted] = content
    server.log.clear()
    get("tiny")
    assert [line for line in server.log if line.startswith("GET")] == [f"GET {wanted}"]


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "WHICHPIC_OFFLINE"])
def test_offline_asks_nobody(variable: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    settings.cache_clear()
    with pytest.raises(ModelError, match="offline mode is set"):
        get("tiny")
    assert not hub.answers(MODELS["siglip2-base"].sources[0])  # type: ignore[arg-type]
    assert server.log == []


def test_modelscope_by_plain_addresses(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHICHPIC_HUB", "modelscope")
    monkeypatch.setenv("MODELSCOPE_DOMAIN", server.url)
    settings.cache_clear()
    assert (get("tiny") / "onnx" / "text_model.onnx").read_bytes() == FILES["onnx/text_model.onnx"]
    assert all("/resolve/master/" in line for line in server.log)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_auto_is_siglip2_where_the_hub_answers_and_names_elsewhere(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_name() == "names"  # the mirror answers, but has no such file
    source = MODELS["siglip2-base"].sources[0]
    assert isinstance(source, Hub)
    path = f"/{source.repo}/resolve/{source.revision}/config.json"
    server.files[path] = b"{}"
    hub._answers.cache_clear()
    assert default_name() == "siglip2-base"
    server.types[path] = "text/html"  # the log-in page of a hotel
    hub._answers.cache_clear()
    assert default_name() == "names"
    monkeypatch.setenv("WHICHPIC_ENCODER", "toy")
    settings.cache_clear()
    assert default_name() == "toy" and open_encoder().id == "toy-1"


def test_a_hub_that_hangs_costs_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        before = time.monotonic()
        assert default_name() == "names"
        assert time.monotonic() - before < 3
        default_name()
        assert time.monotonic() - before < 3.5  # asked once


def test_weights_are_fetched_only_by_the_means_that_are_given() -> None:
    with pytest.raises(ModelError, match="get them with: whichpic models get clip-base"):
        open_encoder("clip-base")
    asked: list[str] = []
    with pytest.raises(ModelError):
        open_encoder("clip-base", fetch=asked.append)
    assert asked == ["clip-base"]
    with pytest.raises(EncoderError, match="no encoder is called 'blip'; known are: auto, names, toy"):
        open_encoder("blip")
    with pytest.raises(EncoderError, match="there is no folder"):
        open_encoder("onnx:/no/such/folder")


def test_locate_knows_an_older_table(monkeypatch: pytest.MonkeyPatch) -> None:
    get("tiny")
    monkeypatch.setitem(MODELS, "tiny", row(sha256="1" * 64))
    with pytest.raises(ModelError, match="of another version"):
        locate("tiny")


def test_a_moving_branch_is_followed_only_once(server: Server) -> None:
    (get("tiny") / "config.json").unlink()
    server.files["/them/tiny/resolve/main/config.json"] = b'{"changed": 1}'
    server.log.clear()
    assert have(get("tiny").name)
    assert not [line for line in server.log if "/main/" in line]


@pytest.mark.parametrize("source", ["", "modelscope"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\n<!DOCTYPE html><html>log in</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS"),
    ],
)
def test_what_is_not_the_file_is_not_recorded_as_it(
    source: str, body: bytes, words: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    if source:
        monkeypatch.setenv("WHICHPIC_HUB", source)
        monkeypatch.setenv("MODELSCOPE_DOMAIN", server.url)
        settings.cache_clear()
    whole = dict(server.files)
    for path in server.files:
        if path.endswith("onnx/text_model.onnx"):
            server.files[path] = body
    with pytest.raises(ModelError, match=words):
        get("tiny")
    assert not have("tiny")
    server.files = whole
    assert have(get("tiny").name)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"files": {"config.json": {"sha256": "x", "size": Infinity}}}', "3"])
def test_a_record_that_makes_no_sense_is_none(text: str) -> None:
    (get("tiny") / "record.json").write_text(text)
    assert not have("tiny")
    assert have(get("tiny").name)
