"""What `whichpic serve` says, in one line, of options that cannot be; the server itself: tests/web/test_serve.py."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support import drawn_album
from whichpic.api import Album
from whichpic.cli.app import app
from whichpic.encoders.toy import Toy
from whichpic.errors import WhichpicError
from whichpic.settings import settings
from whichpic.web import serving


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home without weights, and a current folder without reports."""
    place = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHICHPIC_HOME", str(place))
        patch.setenv("WHICHPIC_OFFLINE", "1")
        patch.chdir(place)
        settings.cache_clear()
        yield place
    settings.cache_clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An indexed album."""
    folder = drawn_album(tmp_path_factory.mktemp("album"), 10)
    with Album.open(folder, encoder=Toy()) as album:
        album.index()
    return folder


def serve(*words: object) -> Result:
    """The command, with the toy encoder. None of these comes so far as to serve."""
    return CliRunner().invoke(app, ["serve", *map(str, words), "--encoder", "toy", "--port", "0"])


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--asker", "captions"], "--chat"),
        (["--asker", "nobody"], "nobody"),
        (["--chooser", "nobody"], "nobody"),
        (["--rewriter", "reconstruct"], "the rewriter 'reconstruct' needs a model: say which one with --chat"),
        (["--rerank", "5"], "--rerank 5 needs a model"),
        (["--llm", "ollama:x"], "--llm is a second model beside --chat"),
        (["--host", "0.0.0.0", "--token", "short"], "a token is 16 or more"),
        (["--host", "photos.invalid"], "is no address of this machine"),
        (["--host", "192.0.2.1"], "is no address of this machine"),
        (["--adapter", "nowhere", "--chat", "ollama:x"], "adapter"),
    ],
)
def test_an_option_that_cannot_be_is_one_line(folder: Path, options: list[str], line: str) -> None:
    done = serve(folder, *options)
    assert done.exit_code == 2 and line in done.output, done.output
    assert "Traceback" not in done.output


def test_a_folder_that_is_not_indexed_and_shall_not_be(tmp_path: Path) -> None:
    done = serve(drawn_album(tmp_path / "new", 2), "--no-index")
    assert done.exit_code == 2 and "whichpic index" in done.output


def test_one_store_for_several_albums(folder: Path, tmp_path: Path) -> None:
    done = serve(folder, tmp_path, "--store", tmp_path / "store")
    assert done.exit_code == 2 and "serve several albums without it" in done.output
    assert "named twice" in serve(folder, folder).output


def test_a_port_that_is_taken_and_the_next_that_is_free() -> None:
    with serving.bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WhichpicError, match=rf"port {port} of 127.0.0.1 is taken; choose another with --port"):
            serving.bound("127.0.0.1", port)
        with serving.bound("127.0.0.1", None) as free, serving.bound("127.0.0.1", None) as next_free:
            assert len({each.getsockname()[1] for each in (taken, free, next_free)}) == 3


@pytest.mark.parametrize(
    ("host", "name"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]"), ("[::1]", "[::1]")]
)
def test_what_a_browser_opens(host: str, name: str) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("needs IPv6")
    with serving.bound(host, 0) as made:
        assert serving.address(made, host) == f"http://{name}:{made.getsockname()[1]}"


def test_on_all_addresses_the_one_that_others_know_is_said() -> None:
    with serving.bound("0.0.0.0", 0) as made:
        assert "0.0.0.0" not in serving.address(made, "0.0.0.0")


def test_it_leaves_though_a_thread_is_still_at_work() -> None:
    """A thread of a pool, begun by a daemon, as an index has: Python itself would wait for it."""
    code = (
        "import sys, threading, time\nfrom concurrent.futures import ThreadPoolExecutor\nfrom whichpic.web import serving\n"
        "def index():\n    ThreadPoolExecutor(1).submit(time.sleep, 60).result()\n"
        "threading.Thread(target=index, daemon=True).start()\nprint('ended')\nserving.leave(0.2)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
