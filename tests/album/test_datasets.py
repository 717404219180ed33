"""Data sets of captions: every layout of the field, read strictly, and what strangers' files may not do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whichpic.album.datasets import ENDINGS, DataSet, frames_by_clip, held_out, read_dataset, relevant
from whichpic.errors import CaptionError
from whichpic.types import Fact

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def lines(path: Path, *entries: Any) -> Path:
    return write(path, "".join(json.dumps(entry) + "\n" for entry in entries))


KARPATHY = {
    "images": [
        {"filename": "1.jpg", "filepath": "val2014", "split": "test", "cocoid": 1, "sentences": [{"raw": "A dog."}]},
        {"filename": "2.jpg", "filepath": "val2014", "split": "val", "sentences": [{"raw": " A\n cat. "}, {"raw": ""}]},
        {"filename": "3.jpg", "filepath": "train2014", "split": "restval", "sentences": []},
    ]
}
MSRVTT = {
    "videos": [{"video_id": "video0", "split": "train"}, {"video_id": "video1", "split": "test"}],
    "sentences": [
        {"video_id": "video1", "caption": "a man sings", "sen_id": 0},
        {"video_id": "video1", "caption": "somebody sings"},
        {"video_id": "video0", "caption": "a man sings"},
    ],
}


def test_karpathy_and_its_splits(tmp_path: Path) -> None:
    path = write(tmp_path / "dataset_coco.json", KARPATHY)
    whole = read_dataset(path)
    assert whole.pictures == ("val2014/1.jpg", "val2014/2.jpg", "train2014/3.jpg")
    assert whole.captions == {"val2014/1.jpg": ("A dog.",), "val2014/2.jpg": ("A cat.",)}
    assert whole.splits["train2014/3.jpg"] == "restval"
    assert read_dataset(path, split="test").pictures == ("val2014/1.jpg",)
    assert len(read_dataset(path, split="test, val").pictures) == 2
    assert read_dataset(path, split="all").pictures == whole.pictures
    with pytest.raises(CaptionError, match=r"has no split 'dev'; there are: restval, test, val"):
        read_dataset(path, split="dev")


def test_coco_with_pictures_of_which_nothing_is_said(tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "7.jpg"}, {"id": 8, "file_name": "8.jpg"}]
    notes = [{"image_id": 7, "caption": "A dog"}, {"image_id": 7, "caption": "Dogs"}]
    dataset = read_dataset(write(tmp_path / "captions_x.json", {"images": images, "annotations": notes}))
    assert dataset.pictures == ("7.jpg", "8.jpg") and dataset.captions == {"7.jpg": ("A dog", "Dogs")}


def test_tables(tmp_path: Path) -> None:
    bars = write(tmp_path / "results.csv", "image_name| comment_number| comment\n1.jpg| 0| A dog .\n1.jpg| 1| Dogs\n")
    assert read_dataset(bars).captions == {"1.jpg": ("A dog .", "Dogs")}
    odd = write(tmp_path / "odd.csv", "photo,words\n1.jpg,A dog\n")
    assert read_dataset(odd, image_column="photo", caption_column="words").captions == {"1.jpg": ("A dog",)}
    with pytest.raises(CaptionError, match="its columns are: photo, words"):
        read_dataset(odd)


def test_a_pair_of_files_may_be_named_by_either(tmp_path: Path) -> None:
    names = write(tmp_path / "Search_Space_mini.json", ["a/1.jpg", "a/2.jpg"])
    texts = write(tmp_path / "mini_captions.json", [{"caption": ["A dog", "Dogs"]}, {"caption": ["A cat"]}])
    wanted = {"a/1.jpg": ("A dog", "Dogs"), "a/2.jpg": ("A cat",)}
    assert read_dataset(names).captions == read_dataset(texts).captions == wanted
    moved = write(tmp_path / "elsewhere.json", [["A dog"], ["A cat"]])
    assert read_dataset(names, captions=moved).captions["a/1.jpg"] == ("A dog",)
    with pytest.raises(CaptionError, match="2 names and 1 entries"):
        read_dataset(names, captions=write(tmp_path / "short.json", [["A dog"]]))
    with pytest.raises(CaptionError, match=r"holds captions only: give the file with the names too: whichpic index"):
        read_dataset(moved)
    with pytest.raises(CaptionError, match="expected a list of names and a list of captions"):
        read_dataset(names, captions=names)


def test_dialogues_as_documents(tmp_path: Path) -> None:
    path = write(tmp_path / "d.json", [{"img": "x/1.jpg", "dialog": ["a dog", "is it big? yes", "a ball? no"]}])
    assert read_dataset(path).captions == {"x/1.jpg": ("a dog", "is it big? yes", "a ball? no")}
    assert read_dataset(path, opening=False).captions == {"x/1.jpg": ("is it big? yes", "a ball? no")}


def test_our_own_layout_carries_facts_files_and_groups(tmp_path: Path) -> None:
    exact = {"attribute": "object", "value": "dog", "p": 1, "source": "drawn", "detail": {"count": 2}}
    path = lines(
        tmp_path / "world.jsonl",
        {"id": "a", "captions": ["two dogs"], "facts": [exact], "file": "drawn/a.png", "seed": 7},
        {"id": 8, "captions": [], "facts": []},
        {"id": "c", "captions": ["night"], "group": "clip", "split": "test"},
        {"id": "d", "captions": ["a street"], "group": "clip"},
    )
    dataset = read_dataset(path)
    assert dataset.facts == {"a": (Fact("object", "dog", 1.0, "drawn", {"count": 2}),), "8": ()}
    assert dataset.files == {"a": "drawn/a.png"} and dataset.splits == {"c": "test"}
    assert dataset.captions["c"] == dataset.captions["d"] == ("night", "a street")
    assert relevant(dataset) == {"two dogs": ("a",), "night": ("c", "d"), "a street": ("c", "d")}


def test_clips_with_and_without_their_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "MSRVTT.json", MSRVTT)
    assert relevant(read_dataset(path)) == {"a man sings": ("video0", "video1"), "somebody sings": ("video1",)}
    frames = ["frames/video1_0002.jpg", "frames/video1_0001.jpg", "other/video0/17.jpg", "video10_1.jpg", "x.jpg"]
    dataset = read_dataset(path, frames=frames)
    assert dataset.pictures == ("other/video0/17.jpg", "frames/video1_0001.jpg", "frames/video1_0002.jpg")
    assert dataset.groups["frames/video1_0001.jpg"] == "video1" and dataset.splits["other/video0/17.jpg"] == "train"
    assert relevant(dataset)["somebody sings"] == ("frames/video1_0001.jpg", "frames/video1_0002.jpg")
    assert read_dataset(path, frames=frames, split="test").pictures == dataset.pictures[1:]
    with pytest.raises(CaptionError, match="no frame of its clips is there"):
        read_dataset(path, frames=["x.jpg"])
    with pytest.raises(CaptionError, match="only MSR-VTT JSON has frames"):
        read_dataset(write(tmp_path / "k.json", KARPATHY), frames=frames)


def test_frames_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "frames" / "video1"
    folder.mkdir(parents=True)
    (folder / "0.jpg").touch()
    dataset = read_dataset(write(tmp_path / "MSRVTT.json", MSRVTT), frames=tmp_path / "frames")
    assert dataset.pictures == ("video1/0.jpg",)
    assert frames_by_clip(["video1.jpg", "video1/video1_3.jpg"], ["video1"]) == {
        "video1": ("video1.jpg", "video1/video1_3.jpg")
    }


def test_a_query_is_not_among_the_documents() -> None:
    captions = {"a": ("one", "two", "one"), "b": ("three",), "c": ("two", "three")}
    documents, queries = held_out(DataSet("d", ("a", "b", "c"), captions))
    assert queries == {"a": "one", "c": "two"}
    assert documents.captions == {"a": ("two",), "c": ("three",)} and documents.pictures == ("a", "b", "c")


def test_captions_find_their_pictures_as_published() -> None:
    """COCO 5k, caption 1 against the others as one document: the BM25 figures of the reference, to the digit."""
    if not (DATA / "plugir").is_dir():
        pytest.skip("needs the captions of COCO in ../shared/data/plugir")
    from whichpic.search.captions import Words

    documents, queries = held_out(read_dataset(DATA / "plugir" / "Search_Space_coco.json"))
    assert len(queries) == 5000
    joined = [" ".join(documents.captions.get(name, ())) for name in documents.pictures]
    words = Words(joined, range(5000), 5000)
    ranks = []
    for position, name in enumerate(documents.pictures):
        scores = words.scores(queries[name])
        ranks.append(int((scores > scores[position]).sum()) + 1)
    assert [round(100 * sum(rank <= k for rank in ranks) / 5000, 2) for k in (1, 5, 10)] == [33.00, 54.14, 63.48]
    assert round(sum(1 / rank for rank in ranks) / 5000, 4) == 0.4325


def test_dialogues_as_published() -> None:
    if not (DATA / "chatir").is_dir():
        pytest.skip("needs the dialogues of ChatIR in ../shared/data/chatir")
    whole = read_dataset(DATA / "chatir" / "Human_BLIP2.json")
    answers = read_dataset(DATA / "chatir" / "Human_BLIP2.json", opening=False)
    assert len(whole.pictures) == 2064 and whole.version != answers.version
    assert {len(texts) for texts in whole.captions.values()} == {11}
    assert all(whole.captions[name][1:] == answers.captions[name] for name in whole.pictures)


ODD_NAMES = ["", " ", "../x.jpg", "a/../x.jpg", "..\\x.jpg", "/etc/passwd", "C:\\x.jpg", "a\nb", "a\x1b[31m", "a\u202eb",
             "\ud800", "x" * 501, None, 1.5, True, -1, 10**30, ["a"], {"a": 1}]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES, ids=[repr(name)[:20] for name in ODD_NAMES])
def test_odd_names_are_one_line(tmp_path: Path, name: Any) -> None:
    said: Any = {"captions": ["words"]}
    image = {"filename": name, "sentences": [{"raw": "words"}]}
    for path in (
        lines(tmp_path / "own.jsonl", {"id": name, **said}),
        write(tmp_path / "karpathy.json", {"images": [image]}),
        write(tmp_path / "coco.json", {"images": [{"id": 1, "file_name": name}], "annotations": []}),
        write(tmp_path / "msrvtt.json", {"videos": [{"video_id": name}], "sentences": []}),
        write(tmp_path / "chatir.json", [{"img": name, "dialog": ["words"]}]),
    ):
        with pytest.raises(CaptionError) as told:
            read_dataset(path)
        assert len(str(told.value).splitlines()) == 1 and len(str(told.value)) < 600


BAD = {
    "not JSON": ("a.json", "{", "not JSON"),
    "a list in a list in a list": ("a.json", "[" * 100_000, "not JSON"),
    "a number of 5000 digits": ("a.jsonl", "9" * 5000, "not JSON"),
    "nothing": ("a.json", "", "not JSON"),
    "no lines": ("a.jsonl", "\n\n", "names no picture"),
    "a text": ("a.json", '"words"', "not a data set that is understood"),
    "no pictures": ("a.json", {"images": [], "annotations": []}, "names no picture"),
    "no captions at all": ("a.json", {"images": [{"id": 1, "file_name": "1"}], "annotations": []}, "no caption at all"),
    "annotations of boxes": (
        "a.json",
        {"images": [{"id": 1, "file_name": "1"}], "annotations": [{"image_id": 1, "bbox": []}]},
        r"their keys: bbox, image_id",
    ),
    "a caption of nobody": (
        "a.json",
        {"images": [], "annotations": [{"image_id": 1, "caption": "a"}]},
        "an image 1 that is not",
    ),
    "an image that is a list": ("a.json", {"images": [[]]}, "image 1: expected an object"),
    "an image without sentences": ("a.json", {"images": [{"filename": "1.jpg"}]}, "needs 'sentences'"),
    "a name twice": ("a.jsonl", '{"id": "1", "captions": ["a"]}\n' * 2, "the picture 1 is there twice"),
    "a file twice": (
        "a.jsonl",
        '{"id": "1", "captions": ["a"], "file": "x"}\n{"id": "x", "captions": ["a"]}\n',
        "two pictures have the file x",
    ),
    "a line that is torn": ("a.jsonl", '{"id": "1", "captions": ["a"]}\n{"id": ', "line 2: not JSON"),
    "captions that are a text": ("a.jsonl", {"id": "1", "captions": "words"}, "expected a list of captions"),
    "captions that are numbers": ("a.jsonl", {"id": "1", "captions": [3]}, "a caption is a text, not 3"),
    "half a character": ("a.jsonl", '{"id": "1", "captions": ["a \\ud83d dog"]}', "lone surrogate"),
    "a caption of a million": ("a.jsonl", {"id": "1", "captions": ["word " * 200_000]}, "a caption of 1000000 char"),
    "neither captions nor facts": ("a.jsonl", {"id": "1", "caption": "words"}, "needs 'captions'"),
    "a fact without a value": ("a.jsonl", {"id": "1", "facts": [{"attribute": "object"}]}, "'attribute' and 'value'"),
    "a fact that is too sure": (
        "a.jsonl",
        {"id": "1", "facts": [{"attribute": "object", "value": "dog", "p": 1.5}]},
        "the p of object=dog is a number from 0 to 1",
    ),
    "a fact of no number": (
        "a.jsonl",
        '{"id": "1", "facts": [{"attribute": "object", "value": "dog", "p": NaN}]}',
        "the p of object=dog",
    ),
    "a count that is none": (
        "a.jsonl",
        {"id": "1", "facts": [{"attribute": "object", "value": "dog", "detail": {"count": "two"}}]},
        "the count of object=dog",
    ),
    "a name with an escape": ("a.jsonl", {"id": "1\x1b[2J", "captions": ["a"]}, r"the name 1\?\[2J holds"),
    "a picture for a data set": ("a.jpg", "x", "those end in .json"),
}


@pytest.mark.parametrize("case", BAD)
def test_hostile_files_are_one_line(case: str, tmp_path: Path) -> None:
    name, content, expected = BAD[case]
    with pytest.raises(CaptionError, match=expected) as told:
        read_dataset(write(tmp_path / name, content))
    assert len(str(told.value).splitlines()) == 1 and str(told.value).isprintable()


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for ending in ENDINGS:
        with pytest.raises(CaptionError, match="cannot read"):
            read_dataset(tmp_path / f"absent{ending}")
        (tmp_path / f"gbk{ending}").write_bytes("image,caption\n1.jpg,一只狗\n".encode("gbk"))
        with pytest.raises(CaptionError, match="UTF-8"):
            read_dataset(tmp_path / f"gbk{ending}")


KEYS = st.sampled_from(
    ("id", "captions", "caption", "facts", "file", "group", "split", "images", "annotations", "videos", "sentences",
     "filename", "filepath", "file_name", "image_id", "video_id", "raw", "img", "dialog", "attribute", "value", "p")
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@given(content=st.lists(JSON, max_size=3) | st.dictionaries(KEYS, JSON, max_size=4))
def test_any_json_is_a_data_set_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    entries = content if isinstance(content, list) else [content]
    for path in (write(folder / "any.json", content), lines(folder / "any.jsonl", *entries)):
        try:
            dataset = read_dataset(path)
        except CaptionError as error:
            assert len(str(error).splitlines()) == 1
        else:
            assert len(set(dataset.pictures)) == len(dataset.pictures) > 0
            assert set(dataset.captions) | set(dataset.facts) <= set(dataset.pictures)


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf")), min_size=1, max_size=20
)
SAFE = NAMES.filter(lambda name: name.strip() == name and ".." not in name and name[0] not in "/\\" and ":" not in name)
SAID = st.text(max_size=30)


@given(said=st.dictionaries(SAFE, st.lists(SAID, min_size=1, max_size=4), min_size=1, max_size=6))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, said: dict[str, list[str]]) -> None:
    """Whatever the layout, the same names and captions come out, with their white space made single."""
    folder = tmp_path_factory.getbasetemp()
    plain = {name: tuple(filter(None, (" ".join(t.replace("\0", " ").split()) for t in said[name]))) for name in said}
    wanted = {name: texts for name, texts in plain.items() if texts}
    images = [{"id": n, "file_name": name, "filename": name} for n, name in enumerate(said)]
    notes = [{"image_id": n, "caption": text} for n, texts in enumerate(said.values()) for text in texts]
    raw = [{**image, "sentences": [{"raw": text} for text in said[image["filename"]]]} for image in images]  # type: ignore[index]
    for path in (
        lines(folder / "own.jsonl", *({"id": name, "captions": texts} for name, texts in said.items())),
        write(folder / "karpathy.json", {"images": raw}),
        write(folder / "coco.json", {"images": images, "annotations": notes}),
        write(folder / "chatir.json", [{"img": name, "dialog": texts} for name, texts in said.items()]),
    ):
        if wanted:
            dataset = read_dataset(path)
            assert dict(dataset.captions) == wanted and list(dataset.pictures) == list(said)
        else:
            with pytest.raises(CaptionError, match="no caption at all"):
                read_dataset(path)
