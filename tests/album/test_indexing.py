from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL.Image import Image

from tests.album.making import album, content, picture, save
from whichpic.album.captions import CaptionFile
from whichpic.album.indexing import Progress, Report, index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy
from whichpic.errors import AlbumError, CaptionError
from whichpic.types import Sight


def run(root: Path, **options: object) -> Report:
    with Store.open(root, create=True) as store:
        return index(store, Toy(), **options)  # type: ignore[arg-type]


def tally(report: Report) -> dict[str, int]:
    names = ("added", "changed", "moved", "copied", "removed", "unchanged", "encoded")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def test_add_change_move_copy_delete(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 6)
    assert tally(run(root)) == {"added": 6, "encoded": 6}
    assert tally(run(root)) == {"unchanged": 6}
    save(root / "000/0.png", 100)
    (root / "000/1.png").rename(root / "moved.png")
    shutil.copy(root / "000/2.png", root / "copy.png")
    (root / "000/3.png").unlink()
    save(root / "new.png", 101)
    expected = {"added": 1, "changed": 1, "moved": 1, "copied": 1, "removed": 1, "unchanged": 3, "encoded": 2}
    assert tally(run(root)) == expected
    with Store.open(root) as store:
        paths = {each.paths for each in store.pictures()}
    alone = {(path,) for path in ("000/0.png", "000/4.png", "000/5.png", "moved.png", "new.png")}
    assert paths == alone | {("000/2.png", "copy.png")}


def test_a_touched_file_is_read_but_not_encoded(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 3)
    run(root)
    os.utime(root / "000/1.png", ns=(1, 1))
    assert tally(run(root)) == {"unchanged": 3}


def test_two_files_that_trade_places(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 2)
    run(root)
    a, b = root / "000/0.png", root / "000/1.png"
    a.rename(root / "t")
    b.rename(a)
    (root / "t").rename(b)
    os.utime(a, ns=(5, 5))
    os.utime(b, ns=(6, 6))
    assert tally(run(root)) == {"changed": 2}


def test_an_empty_folder_is_an_error_and_an_emptied_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AlbumError, match="no pictures in"):
        run(tmp_path / "empty")
    root = album(tmp_path / "album", 2)
    run(root)
    shutil.rmtree(root / "000")
    assert tally(run(root)) == {"removed": 2}
    with Store.open(root) as store:
        assert store.pictures() == []


def test_skipped_files_are_told_and_looked_at_again_when_they_change(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 1)
    (root / "bad.jpg").write_bytes(b"nothing")
    (root / "cut.png").write_bytes((root / "000/0.png").read_bytes()[:-300])
    report = run(root)
    assert [skip.path for skip in report.skipped] == ["bad.jpg", "cut.png"]
    assert all(skip.reason for skip in report.skipped)
    assert run(root).skipped == report.skipped
    with Store.open(root) as store:
        assert tuple(store.skipped()) == report.skipped
    save(root / "bad.jpg", 7)
    report = run(root)
    assert tally(report) == {"added": 1, "encoded": 1, "unchanged": 1}
    assert [skip.path for skip in report.skipped] == ["cut.png"]


def test_the_result_does_not_depend_on_threads_batches_or_order(tmp_path: Path) -> None:
    results = []
    for number, (threads, batch) in enumerate([(1, 1), (4, 7), (2, 32)]):
        root = album(tmp_path / str(number) / "album", 30)
        shutil.copy(root / "000/0.png", root / "a.png")
        run(root, threads=threads, batch=batch)
        with Store.open(root) as store:
            results.append(content(store))
    assert results[0] == results[1] == results[2]


def test_stop_leaves_a_good_state_and_the_next_run_goes_on(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 30)
    seen: list[Progress] = []
    calls = iter(range(10_000))
    report = run(root, batch=4, on_progress=seen.append, stop=lambda: next(calls) > 16)
    assert report.stopped
    assert 4 <= report.encoded < 30
    rest = run(root, batch=4)
    assert report.encoded + rest.encoded == 30
    assert not rest.stopped


def test_control_c_leaves_a_good_state(tmp_path: Path) -> None:
    class Interrupted(Toy):
        left = 3

        def encode_pictures(self, pictures: Sequence[Image], sights: Sequence[Sight | None] | None = None):  # type: ignore[no-untyped-def]
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return super().encode_pictures(pictures, sights)

    root = album(tmp_path / "album", 30)
    with Store.open(root, create=True) as store:
        with pytest.raises(KeyboardInterrupt):
            index(store, Interrupted(), batch=4)
        assert len(store.pictures()) == 8
        assert index(store, Toy()).encoded == 22


def test_progress_ends_with_everything_done(tmp_path: Path) -> None:
    seen: list[Progress] = []
    run(album(tmp_path / "album", 5), on_progress=seen.append)
    assert (seen[-1].phase, seen[-1].done, seen[-1].total) == ("pictures", 5, 5)


class Eyes:
    """A seer that counts how often it looks."""

    def __init__(self, identity: str) -> None:
        self.id, self.looked = identity, 0

    def look(self, pictures: Sequence[Image]) -> list[Sight]:
        self.looked += len(pictures)
        return [Sight(labels=(("dog", 0.9),)) for _ in pictures]


def test_facts_are_made_once_and_again_when_the_seer_changes(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 5)
    first, second = Eyes("eyes-1"), Eyes("eyes-2")
    assert run(root, seer=first).encoded == 5
    assert first.looked == 5
    run(root, seer=first)
    run(root)
    assert first.looked == 5
    report = run(root, seer=second)
    assert (second.looked, report.encoded, report.unchanged) == (5, 0, 5)
    save(root / "new.png", 50)
    run(root, seer=second)
    assert second.looked == 6


def test_captions_come_along(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 3)
    table = tmp_path / "captions.csv"
    table.write_text(
        "image,caption\n0.png,a red dog\n0.png,a dog\n1.png,  blue\n../secret.png,x\n/etc/y.png,x\n9.png,x\n"
    )
    report = run(root)
    assert report.captions == 3
    told = [skip.reason.split(":")[0] for skip in report.skipped]
    assert told == ["../secret.png", "/etc/y.png", "1 of 5 names are not of pictures in this album"]
    with Store.open(root) as store:
        by_path = {each.paths[0]: store.captions().get(each.id) for each in store.pictures()}
        assert by_path == {"000/0.png": ("a red dog", "a dog"), "000/1.png": ("blue",), "000/2.png": None}
        found = store.caption_vectors("toy-1")
        assert found is not None
        texts = [text for each in store.pictures() for text in store.captions().get(each.id, ())]
        owners = [i for i, each in enumerate(store.pictures()) for _ in store.captions().get(each.id, ())]
        assert found.pictures.tolist() == owners
        assert abs(found.matrix[found.rows] - Toy().encode_texts(texts)).max() < 1e-5
        version = store.version
    assert run(root).captions == 3
    with Store.open(root) as store:
        assert store.version == version
    table.write_text("image,caption\n0.png,a dog\n2.png,green\n")
    assert run(root).captions == 2
    save(root / "9.png", 9)
    table.write_text("image,caption\n0.png,a dog\n2.png,green\n9.png,new\n")
    assert run(root).captions == 3
    table.unlink()
    assert run(root).captions == 0


def test_a_named_captions_file_is_remembered_and_a_wrong_column_told_first(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 3)
    table = tmp_path / "far" / "words.csv"
    table.parent.mkdir()
    table.write_text("photo,said\n0.png,a dog\n")
    with pytest.raises(CaptionError, match="its columns are: photo, said"):
        run(root, captions=[CaptionFile(table)])
    with Store.open(root) as store:
        assert store.pictures() == []
    named = CaptionFile(table, image_column="photo", caption_column="said")
    assert run(root, captions=[named]).captions == 1
    (root / "000/0.png").rename(root / "000/7.png")
    assert run(root).captions == 0
    (root / "000/7.png").rename(root / "000/0.png")
    assert run(root).captions == 1


def test_coco_captions_are_found_beside_the_pictures(tmp_path: Path) -> None:
    root = album(tmp_path / "val2017", 2)
    (tmp_path / "annotations").mkdir()
    images = [{"id": 5, "file_name": "1.png"}]
    notes = [{"image_id": 5, "caption": "A red bus."}]
    (tmp_path / "annotations/captions_val2017.json").write_text(json.dumps({"images": images, "annotations": notes}))
    assert run(root).captions == 1


def test_a_neighbours_captions_are_not_worth_a_word(tmp_path: Path) -> None:
    root = album(tmp_path / "album", 1)
    (tmp_path / "captions.csv").write_text("image,caption\nelsewhere.jpg,a dog\n")
    assert run(root).skipped == ()


def churn(root: Path, numbers: random.Random, fresh: int) -> None:
    """One thing that people do to their folders."""
    files = sorted(path for path in root.rglob("*.png") if ".whichpic" not in path.parts)
    what = numbers.choice(["add", "change", "move", "copy", "delete", "bad", "touch", "folder"])
    target = root / numbers.choice(["", "a", "a/b", "c"]) / f"{numbers.randrange(1000)}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    one = numbers.choice(files) if files else None
    if what == "add" or one is None:
        save(target, fresh)
    elif what == "change":
        save(one, fresh)
    elif what == "move":
        one.rename(target)
    elif what == "copy" and one != target:
        shutil.copy(one, target)
    elif what == "delete":
        one.unlink()
    elif what == "bad":
        one.write_bytes(b"bad %d" % fresh)
    elif what == "touch":
        os.utime(one, ns=(fresh, fresh))
    elif what == "folder" and one.parent != root:
        shutil.move(one.parent, root / f"renamed{fresh}")


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_the_store_equals_a_fresh_one(tmp_path: Path, seed: int) -> None:
    numbers = random.Random(seed)
    root = album(tmp_path / "album", 8)
    encoded = 0
    for step in range(12):
        for i in range(numbers.randrange(1, 6)):
            churn(root, numbers, 1000 + 100 * step + i)
        save(root / "always.png", 5)
        encoded += run(root, batch=numbers.choice([1, 3, 32])).encoded
        fresh = tmp_path / f"fresh{step}" / "album"
        shutil.copytree(root, fresh, ignore=shutil.ignore_patterns(".whichpic"))
        report = run(fresh)
        with Store.open(root) as old, Store.open(fresh) as new:
            assert content(old) == content(new)
            assert old.skipped() == list(report.skipped)
            files = [path.relative_to(fresh) for path in fresh.rglob("*.png")]
            on_disk = {path.as_posix() for path in files if ".whichpic" not in path.parts}
            known = {path for each in old.pictures() for path in each.paths}
            assert known | {skip.path for skip in old.skipped()} == on_disk
    assert encoded < 12 * 30


def test_a_picture_that_nobody_can_tell_from_another_is_still_its_own(tmp_path: Path) -> None:
    picture(1).save(tmp_path / "a.png")
    picture(1).save(tmp_path / "b.png", compress_level=0)
    assert run(tmp_path).added == 2
