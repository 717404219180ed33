"""Reports and dialogues are found, bounded and by slug; replays know where their pictures are; sessions are found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from whichpic.errors import SessionError
from whichpic.evaluate.report import write_report
from whichpic.simulate.dialogues import Dialogue, Turn, write_dialogues
from whichpic.web.kept import kept
from whichpic.web.reports import Reports
from whichpic.web.seen import LARGE, SMALL, Seen, drawn, seen_of
from whichpic.web.shelf import Shelf
from whichpic.web.steps import of_dialogue
from whichpic.web.talks import Talks
from whichpic.web.views import Choose, Say

QUESTION = {
    "text": "Is it day?",
    "options": [{"value": "day", "text": "day"}, {"value": "night", "text": "night"}],
    "attribute": "light",
    "source": "facts",
}
SUMMARY = {
    "whichpic_report": 1,
    "k": 10,
    "ties": "mean",
    "level": 0.95,
    "runs": [
        {
            "name": "mine",
            "settings": {},
            "dialogues": 7,
            "turns": 3,
            "pool": 100,
            "by_turn": {"recall@10": {"value": [0.2, 0.5, 0.6]}, "bri": {"value": [3.0, 2.5, 2.0]}},
            "harm": {"ended_worse": 0.1},
        }
    ],
}


def dialogues(n: int = 3) -> list[Dialogue]:
    """Dialogues about drawn pictures: found, not found, and worse than it began."""
    ranks = [(30, 2), (40, 30), (3, 8)]
    return [
        Dialogue(
            f"d{k}",
            f"drawn-0-{k:06d}",
            (
                Turn("said", f"a dog {k}", shown=("drawn-0-000001", "drawn-0-000002"), better=ranks[k % 3][0] - 1),
                Turn("answered", "Is it day? night", question=QUESTION, option=1, better=ranks[k % 3][1] - 1, ties=2),
                Turn("answered", "Is it day?", question=QUESTION, better=ranks[k % 3][1] - 1),
            ),
        )
        for k in range(n)
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder as people have it: a report, dialogues, a damaged one, and things of other kinds."""
    root = tmp_path / "runs"
    write_report(SUMMARY, root / "a" / "report", published=())
    write_dialogues(root / "a" / "played.jsonl", {"name": "played", "pictures": 100, "album": "x-1"}, dialogues())
    (root / "b").mkdir()
    (root / "b" / "torn.jsonl").write_text('{"whichpic_dialogues": 1}\n{"id": 3\n', encoding="utf-8")
    (root / "b" / "session.jsonl").write_text('{"whichpic_session": 1}\n', encoding="utf-8")
    (root / "b" / "index.html").write_text("<p>no report", encoding="utf-8")
    (root / "c").mkdir()
    (root / "c" / "index.html").write_text("<p>", encoding="utf-8")
    (root / "c" / "summary.json").write_text("{}", encoding="utf-8")
    return root


def test_reports_and_dialogues_are_found_with_their_headline_figures(root: Path) -> None:
    found = {each.place: each for each in Reports([root]).found()}
    assert sorted(found) == ["runs/a/played.jsonl", "runs/a/report", "runs/b/torn.jsonl", "runs/c"]
    (run,) = found["runs/a/report"].runs
    assert (run.name, run.dialogues, run.turns, run.k, run.first, run.last, run.bri, run.worse) == (
        "mine", 7, 2, 10, 0.2, 0.6, 2.0, 0.1)  # fmt: skip
    (run,) = found["runs/a/played.jsonl"].runs
    assert (run.dialogues, run.turns, run.first, run.last, run.worse) == (3, 2, 1 / 3, 2 / 3, 1 / 3)


def test_a_damaged_one_is_a_line_of_the_list_and_names_no_folder_of_this_machine(root: Path) -> None:
    found = {each.place: each for each in Reports([root]).found()}
    for place in ("runs/b/torn.jsonl", "runs/c"):
        assert found[place].trouble and "\n" not in found[place].trouble
        assert str(root.parent) not in found[place].trouble


def test_what_a_slug_does_not_name_is_not_to_be_had(root: Path) -> None:
    reports = Reports([root])
    slugs = {each.place: each.slug for each in reports.found()}
    report, played = slugs["runs/a/report"], slugs["runs/a/played.jsonl"]
    assert "<h1>" in reports.page(report)
    assert reports.download(report, "summary.json").name == "summary.json"
    assert len(reports.dialogues(played)[1]) == 3
    for slug in ("..", "a/report", "%2e%2e", "", "played.jsonl", str(root / "a" / "report")):
        with pytest.raises(SessionError, match="there is no report"):
            reports.page(slug)
    for name in ("../played.jsonl", "index.html", "/etc/passwd", "played.jsonl"):
        with pytest.raises(SessionError):
            reports.download(report, name)
    with pytest.raises(SessionError):
        reports.dialogues(report)


def test_links_out_of_the_folder_and_what_lies_too_deep_are_left_out(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write_report(SUMMARY, outside / "secret", published=())
    write_dialogues(outside / "d.jsonl", {"name": "d"}, dialogues())
    (root / "linked").symlink_to(outside, target_is_directory=True)
    (root / "linked.jsonl").symlink_to(outside / "d.jsonl")
    (root / "d").mkdir()
    for name in ("index.html", "summary.json"):
        (root / "d" / name).symlink_to(outside / "secret" / name)
    write_dialogues(root / "1/2/3/4/there.jsonl", {"name": "d"}, dialogues())
    write_dialogues(root / "1/2/3/4/5/deep.jsonl", {"name": "d"}, dialogues())
    places = [each.place for each in Reports([root]).found()]
    assert "runs/1/2/3/4/there.jsonl" in places
    assert not [place for place in places if "link" in place or "deep" in place or place == "runs/d"]


def test_a_page_that_links_out_is_not_read(root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("secret", encoding="utf-8")
    reports = Reports([root])
    slug = next(each.slug for each in reports.found() if each.place == "runs/a/report")
    (root / "a" / "report" / "index.html").unlink()
    (root / "a" / "report" / "index.html").symlink_to(secret)
    with pytest.raises(SessionError, match="has no index"):
        reports.page(slug)


def test_a_file_that_has_changed_is_read_again(root: Path) -> None:
    reports = Reports([root])
    slug = next(each.slug for each in reports.found() if each.place == "runs/a/played.jsonl")
    write_dialogues(root / "a" / "played.jsonl", {"name": "played"}, dialogues(5))
    assert reports.get(slug).runs[0].dialogues == 5
    assert len(reports.dialogues(slug)[1]) == 5


def test_the_figures_of_large_files_follow_at_the_next_look(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whichpic.web.reports.AT_ONCE", 10)
    reports = Reports([root])
    found = {each.place: each for each in reports.found()}
    assert found["runs/a/played.jsonl"].runs == () and not found["runs/a/played.jsonl"].trouble
    assert found["runs/a/report"].runs
    assert reports.get(found["runs/a/played.jsonl"].slug).runs[0].dialogues == 3
    monkeypatch.setattr("whichpic.web.reports.LARGEST", 10)
    found = {each.place: each for each in Reports([root]).found()}
    assert "too large" in found["runs/a/played.jsonl"].trouble


def test_a_dialogue_is_steps_with_questions_answers_and_ranks() -> None:
    steps = of_dialogue(dialogues(1)[0])
    said, answered, unsure = steps.steps
    assert (said.said, said.rank, said.shown) == ("a dog 0", 30, ("drawn-0-000001", "drawn-0-000002"))
    assert (answered.asked, [each.text for each in answered.choices], answered.choice) == (
        "Is it day?",
        ["day", "night"],
        1,
    )
    assert (answered.rank, answered.unsure, answered.said) == (3, False, "")
    assert unsure.unsure and unsure.choice is None


def test_a_question_that_somebody_edited_is_still_a_step() -> None:
    for question in ({"text": 3, "options": "x"}, {"options": [{"text": None}, 7]}, {}):
        turn = Turn("answered", "x", question=question, option=4)
        (step,) = of_dialogue(Dialogue("d", "t", (turn,))).steps
        assert step.choice is None


# ---- pictures


def test_pictures_of_the_drawn_world_are_drawn_again() -> None:
    seen = Seen()
    assert seen.address("drawn-0-000003", LARGE) == f"/replay/drawn/drawn-0-000003.jpg?side={LARGE}"
    assert len(seen.words("drawn-0-000003")) > 8
    small = drawn("drawn-0-000003", SMALL)
    assert small is not None and small.startswith(b"\xff\xd8")
    for odd in ("drawn-0-999999999", "drawn-x-000001", "../drawn-0-000003", "drawn-0-000003/..", ""):
        assert drawn(odd, SMALL) is None


def test_pictures_of_a_served_album_are_found_by_its_version_or_by_their_ids(shelf: Shelf) -> None:
    gallery = shelf.first.gallery
    ids = [picture.id for picture in gallery.pictures[:5]]
    assert seen_of(shelf, {"album": gallery.version}, ids).shelved is shelf.first
    assert seen_of(shelf, {}, ids).shelved is shelf.first
    assert seen_of(shelf, {"album": "other-3"}, ["a", "b"]).shelved is None
    seen = Seen(shelf.first)
    assert seen.address(ids[0]) == f"/api/v1/albums/my-album/pictures/{ids[0]}/thumbnail?side=320"
    assert seen.name(ids[0]).endswith(".png")


# ---- earlier sessions


def test_earlier_sessions_are_listed_searched_and_removed(talks: Talks, shelf: Shelf) -> None:
    for text in ("a red kite", "a blue boat", "rotes Fahrrad"):
        talk = talks.begin("my-album")
        talk.do(Say(text=text))
    picture = talk.state.pictures[0].picture.id
    talk.do(Choose(picture=picture))
    found, more = kept(shelf.first)
    mine = {each.said: each for each in found}
    assert {"a red kite", "a blue boat", "rotes Fahrrad"} <= set(mine) and not more
    assert (mine["rotes Fahrrad"].found, mine["rotes Fahrrad"].turns, mine["a blue boat"].found) == (picture, 2, "")
    assert [each.said for each in kept(shelf.first, query="BOAT blue")[0]] == ["a blue boat"]
    assert kept(shelf.first, most=1)[1]
    talks.remove("my-album", mine["a blue boat"].id)
    assert kept(shelf.first, query="boat")[0] == []


def test_a_session_that_somebody_looks_at_is_not_removed(talks: Talks, shelf: Shelf) -> None:
    talk = talks.begin("my-album")
    talk.do(Say(text="a green hat"))
    end = talk.watch(lambda state: None)
    with pytest.raises(SessionError, match="open in a page"):
        talks.remove("my-album", talk.id)
    end()
    for odd in ("../../catalogue", "nothing", ""):
        with pytest.raises(SessionError, match="has no session"):
            talks.remove("my-album", odd)
    talks.remove("my-album", talk.id)


def test_a_session_file_that_is_damaged_is_a_line_of_the_list(shelf: Shelf) -> None:
    folder = shelf.first.album.store.sessions
    folder.mkdir(exist_ok=True)
    path = folder / "99999999-broken.jsonl"
    path.write_text(json.dumps({"whichpic_session": 1}) + "\n", encoding="utf-8")
    try:
        (first, *_), _ = kept(shelf.first)
        assert first.id == "99999999-broken" and first.trouble and str(folder) not in first.trouble
    finally:
        path.unlink()
