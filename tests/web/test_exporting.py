"""A session as JSON and as one page: all of it inside, nothing of it markup, no path of this machine."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.browser.payloads import PAYLOADS
from whichpic.api import Album
from whichpic.cli.talk import Conversation
from whichpic.dialogue import Session, Term
from whichpic.encoders.toy import Toy
from whichpic.errors import SessionError
from whichpic.web.exporting import page_of, plain_session, session_html, session_json, without_paths, write_page
from whichpic.web.steps import of_session
from whichpic.web.talk import Talk
from whichpic.web.talks import Talks
from whichpic.web.views import Choose, Mark, Restate, Say, TakeBack


class Tags(HTMLParser):
    """What a page is made of, as a browser's parser reads it: tags, attributes, words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words += data


def harmless(page: str) -> Tags:
    """The parts of a page that holds no script and asks for nothing."""
    tags = Tags(page)
    assert not {"script", "iframe", "object", "embed", "link", "base", "form", "input", "video"} & set(tags.tags)
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    asked = [value for name, value in tags.attributes if name in ("src", "href", "action", "srcset", "xlink:href")]
    assert all(value.startswith(("data:image/jpeg;base64,", "#")) for value in asked)
    return tags


@pytest.fixture
def talk(talks: Talks, shelf: object) -> Talk:
    """A session that found its picture: said, marked, said anew, chosen; one thing was undone."""
    talk = talks.begin("my-album")
    talk.do(Say(text="something red"))
    talk.do(Say(text="a mistake"))
    talk.do(TakeBack())
    shown = talk.state.pictures
    talk.do(Mark(more=[shown[0].picture.id], less=[shown[2].picture.id]))
    talk.do(Restate(text="a red picture"))
    talk.do(Choose(picture=talk.state.pictures[1].picture.id))
    return talk


def test_the_steps_of_a_session_say_what_was_shown_and_where_the_picture_stood(talk: Talk) -> None:
    steps = of_session(talk.session)
    assert [step.kind for step in steps.steps] == ["said", "marked", "said", "chosen"]
    assert [step.said for step in steps.steps] == ["something red", "", "a red picture", ""]
    assert steps.target == talk.session.chosen
    assert steps.steps[2].shown == tuple(each.picture.id for each in talk.session.results(12))
    assert steps.steps[2].rank == 2
    assert steps.target in steps.pictures


def test_the_page_of_a_session_holds_its_words_its_pictures_and_what_was_found(talk: Talk) -> None:
    page = session_html(talk)
    tags = harmless(page)
    assert "something red" in tags.words and "a mistake" not in tags.words
    assert "Found after 4 steps, among 20 pictures of My album." in tags.words
    assert tags.tags.count("h1") == 1 and tags.tags.count("img") == 1
    assert tags.tags.count("image") == len(
        {value for name, value in tags.attributes if name == "href" and value[1:2] == "p"}
    )
    assert "Content-Security-Policy" in page and "default-src 'none'" in page


def test_it_is_the_same_in_chinese(talk: Talk) -> None:
    page = session_html(talk, "zh")
    assert '<html lang="zh-CN">' in page
    assert "找到的图片" in harmless(page).words


def test_the_json_of_a_session_can_be_gone_on_with_and_names_its_pictures(talk: Talk, tmp_path: Path) -> None:
    plain = session_json(talk)
    assert plain["query"] == "a red picture"
    assert len(plain["records"]) == 6  # an undo is a record, too
    assert plain["pictures"][talk.session.chosen] == talk.state.turns[-1].more[0].name
    assert str(tmp_path.parent.parent) not in json.dumps(plain)
    lines = [{key: plain[key] for key in plain if key not in ("records", "pictures", "query")}, *plain["records"]]
    path = tmp_path / "again.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    again = Session.resume(talk.session.gallery, path)
    assert again.chosen == talk.session.chosen


def test_nothing_that_anybody_says_is_markup(talks: Talks) -> None:
    talk = talks.begin("my-album")
    for payload in PAYLOADS[:40]:
        if payload.strip():
            talk.do(Say(text=payload))
    harmless(session_html(talk))


def test_nor_is_the_name_of_an_album_or_of_a_picture_from_outside(folder: Path) -> None:
    with Album.open(folder, encoder=Toy()) as album:
        for payload in PAYLOADS[40:]:
            session = album.session(keep=False)
            session.say_terms([Term.of_vector(session.gallery.encoder.encode_texts([payload])[0], payload)])
            harmless(page_of(session, title=payload))


def test_where_a_picture_from_outside_lay_is_nobodys_business(folder: Path) -> None:
    with Album.open(folder, encoder=Toy()) as album:
        session = album.session(keep=False)
        vector = session.gallery.encoder.encode_texts(["red"])[0]
        session.say_terms([Term.of_vector(vector, "/home/anna/private/trip.jpg")])
        session.say_terms([Term.of_vector(vector, r"C:\Users\anna\private\cat.png", -1)])
        told = json.dumps(plain_session(session)) + page_of(session, title="x", opened=album.store.image)
    assert "trip.jpg" in told and "cat.png" in told
    assert "anna" not in told and "private" not in told


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("torch:/srv/models/blip", "torch:blip"),
        ("siglip2-base", "siglip2-base"),
        ("Qwen/Qwen2.5-VL", "Qwen/Qwen2.5-VL"),
        (r"C:\weights\x.onnx", "x.onnx"),
        ("~/models/x", "x"),
        ("onnx a/b, /srv/c/d.onnx", "onnx a/b, d.onnx"),
    ],
)
def test_a_path_is_cut_to_its_last_part_and_a_name_is_left_alone(text: str, kept: str) -> None:
    assert without_paths(text) == kept


def test_captions_stand_where_there_are_no_pictures(tmp_path: Path) -> None:
    data = tmp_path / "set.jsonl"
    rows = [
        {"id": f"p{i}", "captions": [f"a {colour} <i>thing</i>"]} for i, colour in enumerate(("red", "green", "blue"))
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with Album.open(data, encoder=Toy()) as album:
        album.index()
        session = album.session(keep=False)
        session.say("a red thing")
        session.choose("p0")
        path = write_page(album, session, tmp_path / "page.html")
        page = harmless(path.read_text(encoding="utf-8"))
        with pytest.raises(SessionError, match="cannot be written"):
            write_page(album, session, tmp_path / "none" / "page.html")
    assert "a green <i>thing</i>" in page.words
    assert not {"img", "image", "i"} & set(page.tags)


def test_a_talk_in_a_terminal_is_saved_as_a_page_where_the_name_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Album.open(folder, encoder=Toy()) as album:
        talk = Conversation(album, album.session(keep=False), pictures=False)
        talk.run(["red"], [f"/save {tmp_path / 'talk.html'}", f"/save {tmp_path / 'talk.jsonl'}", "/quit"])
    assert "saved:" in capsys.readouterr().out
    assert "red" in harmless((tmp_path / "talk.html").read_text(encoding="utf-8")).words
    assert (tmp_path / "talk.jsonl").read_text(encoding="utf-8").startswith('{"whichpic_session"')


def test_a_session_without_a_word_is_a_page_too(talks: Talks) -> None:
    assert "A session without a word" in harmless(session_html(talks.begin("my-album"))).words
