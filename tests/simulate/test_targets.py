"""Several right pictures for one query: the frames of a clip are meant together."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import gallery
from whichpic.album.datasets import read_dataset
from whichpic.encoders.toy import Toy
from whichpic.evaluate.protocols.ours import read_ours
from whichpic.search.gallery import Gallery
from whichpic.simulate.parallel import simulate
from whichpic.simulate.prepare import Tables, prepare
from whichpic.simulate.targets import read_groups, read_texts
from whichpic.types import Picture

CLIPS = {"swing": ("a child on a swing", "a garden"), "train": ("a train arrives",)}


def lines(folder: Path) -> Path:
    """Our own layout: two clips of three frames, and a picture of its own."""
    rows = [
        {"id": f"{clip}_{k}", "captions": list(said), "group": clip} for clip, said in CLIPS.items() for k in range(3)
    ]
    rows.append({"id": "alone", "captions": ["a red boat"]})
    path = folder / "clips.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_frames_of_a_clip_are_meant_together(tmp_path: Path) -> None:
    path = lines(tmp_path)
    album = Gallery.of_captions(read_dataset(path), Toy())
    together = read_groups(path, album)
    assert together["swing_1"] == ("swing_0", "swing_1", "swing_2") and "alone" not in together
    tables: Tables = {
        "album": {"path": str(path)},
        "user": {"kind": "captions", "evidence": "lexical"},
        "play": {"questions": 2},
    }
    ready = prepare(tables, name="clips", gallery=album)
    # A clip is looked for once.
    assert [(target.id, len(target.relevant)) for target in ready.targets] == [
        ("alone", 0),
        ("swing_0", 3),
        ("train_0", 3),
    ]
    assert len(ready.warnings) == 1 and "leak" in ready.warnings[0]
    done = simulate(ready.place, ready.plan, ready.targets, tmp_path / "d.jsonl", ready.header, gallery=album)
    assert done[1].relevant == ("swing_0", "swing_1", "swing_2")
    run = read_ours(tmp_path / "d.jsonl")
    assert run.relevant is not None and run.found is not None and run.relevant.tolist() == [1, 3, 3]
    assert run.found[1, 0] == 3


def test_a_frame_that_is_named_is_the_target(tmp_path: Path) -> None:
    path, wanted = lines(tmp_path), tmp_path / "wanted.txt"
    wanted.write_text("swing_2\n", encoding="utf-8")
    tables: Tables = {"album": {"path": str(path)}, "user": {"kind": "captions", "evidence": "lexical"},
              "targets": {"file": str(wanted)}}  # fmt: skip
    ready = prepare(tables, name="clips", gallery=Gallery.of_captions(read_dataset(path), Toy()))
    assert [target.id for target in ready.targets] == ["swing_2"] and len(ready.targets[0].relevant) == 3


def test_captions_of_clips_go_to_the_frames_of_an_album(tmp_path: Path) -> None:
    path = tmp_path / "clips.json"
    path.write_text(json.dumps({
        "videos": [{"video_id": clip, "split": "test"} for clip in CLIPS],
        "sentences": [{"video_id": clip, "caption": text} for clip, said in CLIPS.items() for text in said],
    }))  # fmt: skip
    plain = gallery(4)
    frames = [Picture(f"p{k}", paths=(f"frames/{name}.jpg",)) for k, name in
              enumerate(("swing_0", "swing_1", "train_0", "other"))]  # fmt: skip
    album = Gallery(frames, plain.encoder, index=plain.index)
    assert read_texts(path, gallery=album)["frames/swing_1.jpg"] == CLIPS["swing"]
    assert read_groups(path, album) == {"p0": ("p0", "p1"), "p1": ("p0", "p1")}
    tables: Tables = {
        "album": {"path": "photos", "captions": str(path)},
        "user": {"kind": "captions", "evidence": "lexical"},
    }
    ready = prepare(tables, name="clips", gallery=album)
    assert [(target.id, target.relevant) for target in ready.targets] == [("p0", ("p0", "p1")), ("p2", ())]
