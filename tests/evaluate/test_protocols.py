"""Every published layout, written small: what is read of it, and what is said where it is not what it seems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.support import COLOURS, gallery
from whichpic.album.datasets import DataSet, read_dataset
from whichpic.errors import EncoderError, QueryError, SessionError, WhichpicError
from whichpic.evaluate.protocols import files
from whichpic.evaluate.protocols.captioned import caption_queries
from whichpic.evaluate.protocols.ranked import Counting, rank_changes, read_merlin, read_navigationir
from whichpic.evaluate.protocols.recorded import Recorded, corpus_of, read_recorded, read_space
from whichpic.evaluate.protocols.rewriting import read_rewriting
from whichpic.evaluate.proxy import rank_texts, rank_words
from whichpic.evaluate.published import not_comparable, published, published_systems
from whichpic.evaluate.scoring import KINDS, Protocol, read_runs, recognise
from whichpic.evaluate.searching import rank_gallery, rank_vectors
from whichpic.simulate.dialogues import Dialogue, Turn, write_dialogues
from whichpic.simulate.recipes import list_recipes, load_recipe

CHATIR = [
    {"img": "album/1.jpg", "dialog": ["a red kite over a beach", "is anybody there? one child", "is it sunny? yes"]},
    {"img": "album/2.jpg", "dialog": ["an old boat", "where does it lie? on the sand", "what colour is it? green"]},
    {"img": "album/3.jpg", "dialog": ["a cat on a sofa", "is it asleep? yes", "what colour is the sofa? grey"]},
]
DOCUMENTS = DataSet(
    "documents",
    ("album/1.jpg", "album/2.jpg", "album/3.jpg"),
    {
        "album/1.jpg": ("a child flies a kite", "the sun shines on the beach"),
        "album/2.jpg": ("a green boat rests on the sand",),
        "album/3.jpg": ("a grey sofa", "an animal sleeps"),
    },
)


def kept(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    lines = name.endswith(".jsonl")
    path.write_text("\n".join(json.dumps(each) for each in content) + "\n" if lines else json.dumps(content))
    return path


# -- ChatIR and PlugIR: texts that have to be searched for ----------------------------------------------------------


def test_chatir_joins_the_rounds_and_plugir_replaces_them(tmp_path: Path) -> None:
    first = read_recorded(kept(tmp_path, "chatir.json", CHATIR))[0]
    assert first.target == "album/1.jpg"
    assert first.queries("joined")[1] == "a red kite over a beach, is anybody there? one child"
    assert first.queries("replaced")[1] == "is anybody there? one child"


def test_visdials_own_spelling_and_a_cap_on_turns(tmp_path: Path) -> None:
    rounds = [{"question": "is it day", "answer": "yes"}, {"question": "any people?", "answer": "no"}]
    raw = [{"image": "x.jpg", "caption": "a field", "dialog": rounds}]
    assert read_recorded(kept(tmp_path, "raw.json", raw), turns=2)[0].rounds == ("a field", "is it day? yes")


def test_one_target_may_be_meant_by_several_dialogues(tmp_path: Path) -> None:
    twice = read_recorded(kept(tmp_path, "twice.jsonl", [*CHATIR, CHATIR[0]]))
    assert [each.id for each in twice][-1] == "album/1.jpg #2"
    assert len(files.named(["a", "a", "a #2", "a"])) == len(set(files.named(["a", "a", "a #2", "a"])))


def test_dialogues_are_ranked_over_texts_about_the_pictures(tmp_path: Path) -> None:
    run = rank_words("proxy", read_recorded(kept(tmp_path, "chatir.json", CHATIR)), DOCUMENTS)
    # "a cat on a sofa": only document 3 has a sofa. "is it asleep" adds nothing, "grey" a word of its own.
    assert run.ranks.rank()[2].tolist() == [1.0, 1.0, 1.0]
    assert run.ranks.pool == 3
    assert run.targets[2] == "album/3.jpg"
    assert run.warnings == ()


def test_texts_of_a_picture_count_together_or_by_the_best(tmp_path: Path) -> None:
    asked = (Recorded("q", "album/1.jpg", ("a kite on the beach",)),)
    for texts in ("joined", "best"):
        assert rank_words("x", asked, DOCUMENTS, texts=texts).ranks.rank()[0, 0] == 1.0


def test_a_target_outside_the_search_space_is_an_error(tmp_path: Path) -> None:
    dialogues = kept(tmp_path, "chatir.json", CHATIR)
    space = kept(tmp_path, "space.json", ["album/1.jpg", "album/2.jpg"])
    with pytest.raises(SessionError, match=r"1 of 3 targets are not among .*album/3\.jpg"):
        read_runs([dialogues], Protocol(space=space, documents=dialogues))
    assert read_space(space) == ("album/1.jpg", "album/2.jpg")
    with pytest.raises(SessionError, match="twice"):
        read_space(kept(tmp_path, "double.json", ["a.jpg", "a.jpg"]))


def test_names_are_found_by_their_last_part(tmp_path: Path) -> None:
    asked = (Recorded("q", "elsewhere/2.jpg", ("an old boat",)),)
    run = rank_texts("x", asked, ("a/1.jpg", "a/2.jpg"), lambda text: np.array([0.0, 1.0], np.float32))
    assert run.targets == ("a/2.jpg",)
    with pytest.raises(SessionError):  # two pictures end so
        rank_texts("x", asked, ("a/2.jpg", "b/2.jpg"), lambda text: np.zeros(2, np.float32))


def test_recorded_dialogues_need_something_to_search(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="--documents"):
        read_runs([kept(tmp_path, "chatir.json", CHATIR)], Protocol())


@pytest.mark.parametrize("folds", [False, True])
def test_vectors_give_the_ranks_that_sorting_gives(folds: bool) -> None:
    draw = np.random.default_rng(7)
    vectors, queries = (draw.standard_normal((n, 16)).astype(np.float32) for n in (200, 90))
    rows = [(k % 2 * 100, k % 2 * 100 + 100) if folds else (0, 200) for k in range(30)]
    meant = [int(draw.integers(*each)) for each in rows]
    asked = [
        Recorded(f"d{k}", f"{meant[k]}.jpg", tuple(f"{k} {turn}" for turn in range(3)), rows=rows[k] if folds else None)
        for k in range(30)
    ]
    run = rank_vectors("x", asked, [f"{k}.jpg" for k in range(200)], vectors, queries=queries.reshape(30, 3, 16),
                       form="replaced")  # fmt: skip
    for k, (first, last) in enumerate(rows):
        for turn in range(3):
            order = np.argsort(-(vectors[first:last] @ queries[3 * k + turn]))
            assert run.ranks.rank()[k, turn] == order.tolist().index(meant[k] - first) + 1
    assert run.ranks.pool == (100 if folds else 200)


def test_vectors_that_do_not_fit_are_told() -> None:
    asked = [Recorded("d", "1.jpg", ("a", "b"))]
    vectors = np.eye(2, dtype=np.float32)
    with pytest.raises(QueryError, match=r"expected \[dialogues, turns, dim\]"):
        rank_vectors("x", asked, ["1.jpg", "2.jpg"], vectors, queries=np.ones((1, 3, 2), np.float32))
    with pytest.raises(QueryError, match="one encoder"):
        rank_vectors("x", asked, ["1.jpg", "2.jpg"], vectors, queries=np.ones((1, 2, 5), np.float32))
    with pytest.raises(QueryError, match="one for each"):
        rank_vectors("x", asked, ["1.jpg"], vectors, queries=np.ones((1, 2, 2), np.float32))


def test_an_album_is_searched_by_its_vectors() -> None:
    album = gallery(60)
    asked = [Recorded(f"d{k}", album.pictures[k].paths[0], ("a picture", COLOURS[k])) for k in range(10)]
    run = rank_gallery("x", asked, album)
    assert run.settings["encoder"] == album.encoder.id
    assert (run.ranks.rank()[:, 1] <= 6).all()  # six of the sixty have the colour that was said
    fewer = [picture.paths[0] for picture in album.pictures[:20]]
    run = rank_gallery("x", asked, album, space=fewer)
    assert run.ranks.pool == 20
    assert (run.ranks.rank()[:, 1] <= 2).all()


def test_a_search_space_that_the_album_lacks_is_another_protocol() -> None:
    album = gallery(10)
    asked = [Recorded("d", album.pictures[0].paths[0], ("a red one",))]
    with pytest.raises(QueryError, match=r"1 of the 2 pictures .* not in the album"):
        rank_gallery("x", asked, album, space=[album.pictures[0].paths[0], "nowhere.jpg"])
    with pytest.raises(EncoderError, match="no field 'caption_words'"):
        rank_gallery("x", asked, album, field="caption_words")


# -- captions as a protocol -----------------------------------------------------------------------------------------


def karpathy(folder: Path) -> Path:
    told = [("1.jpg", "test", ["a red kite", "a kite in the sky"]), ("2.jpg", "test", ["a boat", "a green boat ashore"]),
            ("3.jpg", "test", ["a cat", "a cat asleep"]), ("4.jpg", "test", ["rain", "rain on a window"]),
            ("5.jpg", "train", ["snow"])]  # fmt: skip
    images = [{"filename": name, "split": split, "sentences": [{"raw": text} for text in texts]}
              for name, split, texts in told]  # fmt: skip
    return kept(folder, "dataset.json", {"dataset": "ours", "images": images})


def test_the_first_caption_looks_for_the_others(tmp_path: Path) -> None:
    (run,) = read_runs([karpathy(tmp_path)], Protocol(split="test"))
    assert run.ranks.pool == 4
    assert run.ranks.rank()[:, 0].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert run.settings["opening"] == "captions; first of a picture is a query"


def test_folds_are_searched_apart(tmp_path: Path) -> None:
    dataset = read_dataset(karpathy(tmp_path), split="test")
    asked = caption_queries(dataset, queries="each", fold=2)
    assert [each.rows for each in asked] == [(0, 2)] * 4 + [(2, 4)] * 4
    (run,) = read_runs([karpathy(tmp_path)], Protocol(split="test", pool=2))
    assert run.ranks.pool == 2
    with pytest.raises(QueryError, match="do not part into folds of 3"):
        caption_queries(dataset, fold=3)


def test_the_frames_of_a_clip_are_all_right() -> None:
    clip = DataSet("clip", ("v1_1.jpg", "v1_2.jpg", "v2_1.jpg"),
                   {"v1_1.jpg": ("a man cooks",), "v1_2.jpg": ("a man cooks",), "v2_1.jpg": ("a dog runs",)},
                   groups={"v1_1.jpg": "v1", "v1_2.jpg": "v1", "v2_1.jpg": "v2"})  # fmt: skip
    asked = caption_queries(clip)
    assert [each.relevant for each in asked] == [("v1_1.jpg", "v1_2.jpg"), ()]
    scores = {"a man cooks": [0.2, 0.8, 0.9], "a dog runs": [0.1, 0.2, 0.9]}
    run = rank_texts("x", asked, clip.pictures, lambda text: np.array(scores[text], np.float32))
    assert run.ranks.rank()[:, 0].tolist() == [2.0, 1.0]  # the better frame counts, the other is not held against it
    assert run.relevant is not None and run.relevant.tolist() == [2, 1]
    assert run.found is not None and run.found[:, 0].tolist() == [2, 1]


# -- navigationir ---------------------------------------------------------------------------------------------------


def test_navigationir_counts_from_zero(tmp_path: Path) -> None:
    records = [{"caption": "a field", "question": "Any animals?", "rank_old": 44, "rank_new": 9},
               {"caption": "a road", "question": "Any cars?", "rank_old": 3, "rank_new": 12},
               {"caption": "a hill", "question": "Any trees?", "rank_old": 60, "rank_new": 60}]  # fmt: skip
    run = read_navigationir(kept(tmp_path, "ranks.jsonl", records))
    assert run.ranks.rank().tolist() == [[45.0, 10.0], [4.0, 13.0], [61.0, 61.0]]
    assert run.settings["ranks counted from"] == 0
    assert run.ranks.pool == 50_000
    assert run.texts[0] == ("a field", "Any animals?")
    changes = rank_changes(run.ranks)
    assert (changes["better"], changes["same"], changes["worse"]) == (1 / 3, 1 / 3, 1 / 3)
    assert (changes["entered"], changes["left"]) == (0.5, 1.0)
    assert (changes["median_before"], changes["median_after"]) == (45.0, 13.0)


def test_not_found_is_never_a_rank(tmp_path: Path) -> None:
    run = read_navigationir(kept(tmp_path, "lists.json", [{"id": "a", "ranks": [10000, -1, 3]},
                                                          {"id": "b", "ranks": [50000, 7]}]))  # fmt: skip
    # 10000: anywhere behind the 10,000 retrieved. -1 and 50000 do not say how far was looked: last.
    assert run.ranks.better[0].tolist() == [10000, 49999, 3]
    assert run.ranks.ties[0].tolist() == [39999, 0, 0]
    assert run.ranks.better[1].tolist() == [49999, 7, 7]
    assert run.ranks.played[1].tolist() == [True, True, False]
    assert "3 ranks" in str(run.settings["never found"])


def test_ten_thousand_is_a_rank_where_ranks_go_beyond_it(tmp_path: Path) -> None:
    run = read_navigationir(kept(tmp_path, "deep.json", [{"rank_old": 10000, "rank_new": 20000}]))
    assert run.ranks.rank()[0].tolist() == [10001.0, 20001.0]


def test_bare_ranks_do_not_say_where_counting_begins(tmp_path: Path) -> None:
    bare = kept(tmp_path, "bare.json", [[5, 2, 1], [9, 9]])
    with pytest.raises(SessionError, match="--base 0 or --base 1"):
        read_navigationir(bare)
    assert read_navigationir(bare, base=1).ranks.rank()[0].tolist() == [5.0, 2.0, 1.0]
    columns = kept(tmp_path, "columns.json", {"rank_old": [5, 9], "rank_new": [2, 30]})
    assert read_navigationir(columns, base=0).ranks.rank().tolist() == [[6.0, 3.0], [10.0, 31.0]]
    with pytest.raises(SessionError, match="counted from 1"):
        read_navigationir(kept(tmp_path, "zero.json", [[0, 1]]), base=1)


# -- query-rewriting ------------------------------------------------------------------------------------------------

RECORD = {
    "original_query": "a man with a bicycle", "refined_query": "a man with a blue bicycle near a river",
    "target_image_path": "f/1.jpg", "image_rankings": [40, -1, 3], "captions": ["a blue bicycle"],
    "retrieved_images": [["f/5.jpg", "f/2.jpg"], ["f/2.jpg", "f/6.jpg"], ["f/1.jpg", "f/6.jpg"]],
    "relevant_images": ["f/1.jpg", "f/2.jpg", "f/9.jpg"],
}  # fmt: skip


def test_query_rewriting_counts_every_right_picture_once(tmp_path: Path) -> None:
    run = read_rewriting(kept(tmp_path, "records.jsonl", [RECORD]), pool=40_000)
    assert run.ranks.better[0].tolist() == [40, 30_000, 3]  # -1: somewhere behind the 30,000 retrieved
    assert run.relevant is not None and run.found is not None and run.seen is not None
    assert run.relevant.tolist() == [3]
    assert run.found[0].tolist() == [1, 1, 2]
    assert run.seen[0].tolist() == [2, 3, 4]
    assert run.texts[0] == ("a man with a bicycle", "a blue bicycle", "a man with a blue bicycle near a river")
    assert run.warnings[0].startswith("oracle")


def test_of_query_rewriting_the_target_alone_may_be_right(tmp_path: Path) -> None:
    run = read_rewriting(kept(tmp_path, "records.jsonl", [RECORD]), pool=31_783, relevant="target", k=1)
    assert run.relevant is not None and run.relevant.tolist() == [1]
    assert run.found is not None and run.found[0].tolist() == [0, 0, 1]
    with pytest.raises(SessionError, match="--pool"):
        read_rewriting(kept(tmp_path, "records.jsonl", [RECORD]))


# -- MERLIN ---------------------------------------------------------------------------------------------------------


def merlin(target: str, ranks: list[int]) -> dict[str, Any]:
    rounds = {f"round{k}": {"question": "Indoors?", "answer": "No.", "reranked_topk": [target, "v9"], "target_rank": rank}
              for k, rank in enumerate(ranks[1:], start=1)}  # fmt: skip
    return {"target_vid": target, "topk_candidates": ["v9", target], "initial_rank": ranks[0], **rounds}


def test_merlins_logs_count_from_one_and_make_one_run(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for target, ranks in {
        "v1": [1] * 6,
        "v2": [3, 2, 1, 5, 2, 2],
        "v3": [203, 1, 1, 1, 1, 4],
        "v4": [19, 1, 1, 1, 1, 1],
    }.items():
        kept(folder, f"log_{target}.json", merlin(target, ranks))
    (run,) = read_runs([folder], Protocol())
    assert run.ranks.rank()[1].tolist() == [3.0, 2.0, 1.0, 5.0, 2.0, 2.0]
    assert run.shown[0][0] == ("v9", "v1")
    assert run.texts[0][1] == "Indoors? No."
    from whichpic.evaluate.metrics import bri

    assert round(float(bri(run.ranks.rank())[-1]), 4) == 0.2686  # of the four logs that were published


def test_a_rank_of_zero_is_none_where_counting_begins_at_one(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="counted from 1"):
        read_merlin([kept(tmp_path, "log.json", merlin("v1", [0, 1]))])


# -- our own dialogues ----------------------------------------------------------------------------------------------


def test_our_dialogues_are_carried_on_after_their_end(tmp_path: Path) -> None:
    turns = tuple(Turn("said", f"turn {t}", better=9 - t, shown=(f"{t}.jpg",), p_first=0.5, set_size=3, in_set=True,
                       milliseconds=4.0) for t in range(3))  # fmt: skip
    dialogues = [
        Dialogue("d1", "9.jpg", turns),
        Dialogue("d2", "1.jpg", turns[:2], relevant=("0.jpg", "1.jpg"), ended="found"),
    ]
    header = {"name": "eig", "pictures": 50, "encoder": "toy", "album": "v1", "settings": {"play": {"questions": 2}}}
    path = tmp_path / "dialogues.jsonl"
    write_dialogues(path, header, dialogues)
    (run,) = read_runs([path], Protocol())
    assert run.ranks.rank()[1].tolist() == [10.0, 9.0, 9.0]
    assert run.ranks.played[1].tolist() == [True, True, False]
    assert run.settings["encoder"] == "toy"
    assert run.milliseconds is not None and run.milliseconds[1].tolist() == [4.0, 4.0, 0.0]
    assert run.found is not None and run.found[1].tolist() == [1, 2, 2]
    assert run.fits is None


@pytest.mark.parametrize("header", [{}, {"pictures": "many"}, {"pictures": 3}, {"pictures": 50, "settings": [1]}])
def test_a_header_that_is_none_is_told(tmp_path: Path, header: dict[str, Any]) -> None:
    path = tmp_path / "dialogues.jsonl"
    write_dialogues(path, header, [Dialogue("d", "t.jpg", (Turn("said", "a", better=7),))])
    if header.get("pictures") == 50:
        assert read_runs([path], Protocol())[0].ranks.pool == 50
        return
    with pytest.raises(SessionError, match=str(path)):
        read_runs([path], Protocol())


def test_our_dialogues_are_looked_through_for_leaks(tmp_path: Path) -> None:
    def said(k: int) -> tuple[Turn, ...]:
        return (Turn("said", "a thing"), Turn("answered", f"is it beside the big house number {k}? yes"))

    path, searched = tmp_path / "dialogues.jsonl", tmp_path / "searched.jsonl"
    write_dialogues(
        path, {"name": "x", "pictures": 5, "settings": {}}, [Dialogue(f"{k}", f"{k}.jpg", said(k)) for k in range(5)]
    )
    kept(
        tmp_path,
        "searched.jsonl",
        [{"id": f"{k}.jpg", "captions": [f"is it beside the big house number {k}"]} for k in range(5)],
    )
    (run,) = read_runs([path], Protocol(documents=searched))
    assert run.warnings[0].startswith("leak: 100% of the questions")


# -- what a file is, and what is no such file -----------------------------------------------------------------------


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    rewritten = [{"img": "a.jpg", "dialog": ["a kite", "a red kite", "a red kite over a beach"]}] * 3
    layouts = {
        "chatir": kept(tmp_path, "c.json", CHATIR), "plugir": kept(tmp_path, "p.json", rewritten),
        "navigationir": kept(tmp_path, "n.jsonl", [{"rank_old": 1, "rank_new": 2}]),
        "query-rewriting": kept(tmp_path, "q.jsonl", [RECORD]), "merlin": kept(tmp_path, "m.json", merlin("v", [1, 2])),
        "captions": karpathy(tmp_path),
    }  # fmt: skip
    for kind, path in layouts.items():
        assert recognise(path)[0] == kind
        assert kind in KINDS


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"), ("{", "neither JSON"), ("[]", "no records"), ('{"a": 1}', "no layout that is known"),
        ('["a.jpg", "b.jpg"]', "--space"), ('{"whichpic_report": 1}', "whichpic report"), ("[1, 2", "neither JSON"),
        ('[{"img": "a.jpg", "dialog": []}]', "no rounds"), ('[{"dialog": ["a"]}]', "no 'img'"),
        ('[{"img": "a.jpg", "dialog": [3]}]', "not text"), ('[{"rank_old": "x", "rank_new": 1}]', "a rank belongs"),
        ('[{"rank_old": 99999, "rank_new": 1}]', "does not fit"), ("[" * 5000, "."),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_one_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(WhichpicError, match=says) as error:
        read_runs([path], Protocol(documents=path))
    assert "\n" not in str(error.value)


json_like = some.recursive(
    some.none() | some.booleans() | some.integers(-3, 60_000) | some.floats(allow_nan=False) | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3)
    | some.dictionaries(
        some.sampled_from(["img", "dialog", "rank_old", "rank_new", "ranks", "image_rankings", "initial_rank", "round1",
                           "target_vid", "target_rank", "retrieved_images", "target_image_path", "id"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(content=json_like, kind=some.sampled_from(["", "chatir", "navigationir", "query-rewriting", "merlin"]))
def test_whatever_a_file_holds_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: Any, kind: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.json"
    path.write_text(json.dumps(content))
    try:
        read_runs([path], Protocol(kind=kind, pool=40_000, base=0, space=None))
    except WhichpicError as error:
        assert "\n" not in str(error).strip()


def test_half_a_character_is_none(tmp_path: Path) -> None:
    path = tmp_path / "half.json"
    path.write_text('[{"img": "\\ud83d\\ude00.jpg", "dialog": ["half \\ud83d of one"]}]')
    (read,) = read_recorded(path)
    assert read.target == "\U0001f600.jpg"
    assert read.rounds == ("half \ufffd of one",)


def test_counting_states_where_it_begins() -> None:
    assert Counting(base=1, pool=10).place(1) == (0, 0)
    assert Counting(base=0, pool=10).place(9) == (9, 0)
    with pytest.raises(SessionError):
        Counting(base=0, pool=10).place(10)
    with pytest.raises(QueryError, match="from 0 or from 1"):
        Protocol(base=2)


# -- published figures and recipes ----------------------------------------------------------------------------------


def test_published_figures_carry_their_source_and_stay_with_their_pool() -> None:
    plugir = published("plugir")
    assert plugir.by_turn["recall@10"][5] == 0.768
    assert all(system.source and system.corpus for system in published_systems())
    here = {"corpus": plugir.corpus}
    assert not_comparable(plugir, here, 50_000) == ""
    assert "50,000 pictures were searched there, 2,064 here" in not_comparable(plugir, here, 2_064)
    assert "texts about them" in not_comparable(plugir, {**here, "documents": "human"}, 50_000)
    with pytest.raises(QueryError, match="chatir-human"):
        published("nobody")


def test_the_corpus_is_told_by_the_folder() -> None:
    assert corpus_of(["val2017/1.jpg", "val2017/2.jpg"]) == "COCO val2017"
    assert corpus_of(["a/1.jpg", "b/1.jpg"]) == "not stated"


def test_the_recipes_for_scoring_are_there() -> None:
    ours = {"chatir", "plugir", "text-proxy", "query-rewriting-flickr30k", "query-rewriting-mscoco"}
    assert ours <= set(list_recipes())
    for name in ours:
        assert load_recipe(name).get("protocol", "kind") in KINDS
