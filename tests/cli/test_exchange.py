"""`whichpic import` and `whichpic export` as a person uses them: real processes, the toy encoder, drawn pictures."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support import drawn_album
from whichpic.album.faiss_file import read_flat


def run(*words: str, home: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WHICHPIC_HOME": str(home), "WHICHPIC_ENCODER": "toy", "WHICHPIC_OFFLINE": "1",
                   "TERMINAL_WIDTH": "200", **extra}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "whichpic", *words], capture_output=True, text=True, env=environment, timeout=60,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def test_export_and_import_into_a_copy_finds_the_same(tmp_path: Path, home: Path) -> None:
    album, copy, out = drawn_album(tmp_path / "a", 20), drawn_album(tmp_path / "b", 20), tmp_path / "out"
    assert run("index", str(album), home=home).returncode == 0
    told = run("export", str(album), "--out", str(out), home=home)
    assert told.returncode == 0 and "20 vectors of toy-1" in told.stdout, told.stderr
    done = run("import", str(copy), "--faiss", str(out / "faiss.index"), "--ids", str(out / "id2image.json"),
               "--embeddings", str(out / "embeddings.npy"), "--encoder", "toy", home=home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "20 pictures have their vectors of toy-1 now (20 rows of 64 numbers)" in done.stdout
    found = [json.loads(run("find", str(each), "red", "--json", home=home).stdout) for each in (album, copy)]
    assert [each["path"] for each in found[0]] == [each["path"] for each in found[1]]


def test_an_index_made_by_an_encoder_that_is_not_here(tmp_path: Path, home: Path) -> None:
    album = drawn_album(tmp_path / "a", 4)
    names = [path.relative_to(album).as_posix() for path in sorted(album.rglob("*.png"))]
    np.save(tmp_path / "vectors.npy", np.eye(4, 256, dtype="f4"))
    (tmp_path / "id2image.pickle").write_bytes(pickle.dumps([f"/data/unlabeled2017/{name}" for name in names]))
    (album / "captions.csv").write_text("image,caption\n" + "".join(f"{name},a drawing\n" for name in names))
    given = ("import", str(album), "--embeddings", str(tmp_path / "vectors.npy"), "--ids")
    done = run(*given, str(tmp_path / "id2image.pickle"), "--encoder-id", "chatir-x-fp32", "--json", home=home)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["pictures"] == 4 and report["encoder"] == "chatir-x-fp32" and report["encoded"] == 0
    assert run("export", str(album), "--out", str(tmp_path / "out"), home=home).returncode == 0
    np.testing.assert_array_equal(read_flat(tmp_path / "out" / "faiss.index").sum(axis=0)[:4], 1)


def test_vectors_under_the_id_of_another_encoder_are_refused(tmp_path: Path, home: Path) -> None:
    album = drawn_album(tmp_path / "a", 3)
    names = [path.relative_to(album).as_posix() for path in sorted(album.rglob("*.png"))]
    (tmp_path / "names.json").write_text(json.dumps(names))
    given = ("import", str(album), "--ids", str(tmp_path / "names.json"), "--embeddings")
    np.save(tmp_path / "wide.npy", np.eye(3, 128, dtype="f4"))
    done = run(*given, str(tmp_path / "wide.npy"), "--encoder-id", "toy-1", home=home)
    assert done.returncode == 2 and "have 128 numbers, but those of toy-1 have 64" in done.stderr, done.stderr
    np.save(tmp_path / "bad.npy", np.array([[1, 0], [0, np.nan], [0, 1]], dtype="f4"))
    done = run(*given, str(tmp_path / "bad.npy"), "--encoder-id", "theirs-1", home=home)
    assert (
        done.returncode == 2
        and f"{tmp_path / 'bad.npy'} holds numbers that are not finite, first in row 1" in done.stderr
    )
    # An encoder that is known and not here: the album is found again once it is, and until then by another.
    assert run(*given, str(tmp_path / "wide.npy"), "--encoder-id", "chatir-x", home=home).returncode == 0
    done = run("find", str(album), "red", home=home, WHICHPIC_ENCODER="auto")
    assert done.returncode == 2 and "those of the encoder chatir-x" in done.stderr and "--encoder names" in done.stderr


def test_what_is_wrong_is_one_line_and_exit_code_2(tmp_path: Path, home: Path) -> None:
    album = drawn_album(tmp_path / "a", 3)
    hostile = tmp_path / "id2image.pickle"
    hostile.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "touched").encode() + b"'\ntR.")
    np.save(tmp_path / "v.npy", np.eye(3, 64, dtype="f4"))
    cases = {
        "it names os.system, which is not data": ("--embeddings", str(tmp_path / "v.npy"), "--ids", str(hostile)),
        "no names given": ("--embeddings", str(tmp_path / "v.npy")),
        "none.index cannot be read": ("--faiss", str(tmp_path / "none.index")),
    }
    for match, words in cases.items():
        done = run("import", str(album), *words, "--encoder", "toy", home=home)
        assert done.returncode == 2 and match in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "touched").exists()
    done = run("export", str(tmp_path / "a"), "--out", str(tmp_path / "out"), home=home)
    assert done.returncode == 2 and "index it first" in done.stderr
