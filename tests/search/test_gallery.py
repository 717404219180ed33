"""A gallery of a real store: mapped and not copied, and right where something is missing or has changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support import drawn, drawn_album
from whichpic import Album
from whichpic.album.datasets import DataSet
from whichpic.dialogue import Session
from whichpic.encoders.toy import Toy
from whichpic.errors import EncoderError
from whichpic.search import Exact, Gallery
from whichpic.types import Picture


def opened(folder: Path) -> Album:
    album = Album.open(folder, encoder=Toy())
    album.index()
    return album


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = drawn_album(tmp_path / "album", 12)
    lines = ["image_name|comment_number|comment", *(f"{k:04d}.png|0|somebody number {k}" for k in range(6))]
    (root / "results.csv").write_text("\n".join(lines), encoding="utf-8")
    return root


def test_vectors_are_mapped_and_not_copied(folder: Path) -> None:
    with opened(folder) as album:
        gallery = album.gallery
        assert isinstance(gallery.index, Exact) and isinstance(gallery.index.matrix, np.memmap)
        for index, _ in filter(None, [gallery._caption_vectors]):
            assert isinstance(index, Exact) and isinstance(index.matrix, np.memmap)
        fields = gallery.evidence("somebody number 3")
        assert set(fields) >= {"pictures", "text_words", "caption_words", "caption_vectors", "caption_mean"}
        assert all(np.isfinite(z).all() and z.shape == (12,) for z in fields.values())


def test_captions_as_one_text_are_mapped_and_there_for_who_has_captions(folder: Path) -> None:
    (folder / "more.csv").write_text("image,caption\n0000.png,a red wall\n", encoding="utf-8")
    with opened(folder) as album:
        gallery = album.gallery
        index = gallery._text_vectors
        assert isinstance(index, Exact) and isinstance(index.matrix, np.memmap)
        assert index.told().tolist() == [picture in gallery.captions for picture in gallery.ids]
        several = max(gallery.captions, key=lambda picture: len(gallery.captions[picture]))
        assert len(gallery.captions[several]) == 2
        for picture, captions in gallery.captions.items():
            vector = index.vectors(np.array([gallery.positions[picture]]))[0]
            np.testing.assert_allclose(vector, Toy().encode_texts([", ".join(captions)])[0], atol=1e-6)


def test_captions_as_one_text_in_memory() -> None:
    captions = {"a": ("red", "a dog"), "b": ("blue",), "d": ("green", "grass"), "e": ("a cat",)}
    gallery = Gallery.of_captions(DataSet("test", tuple("abcde"), captions), Toy())
    index = gallery._text_vectors
    assert isinstance(index, Exact) and index.told().tolist() == [True, True, False, True, True]
    found = index.vectors(np.arange(5))
    said = [", ".join(captions.get(picture, ())) for picture in gallery.ids]
    np.testing.assert_array_equal(found, Toy().encode_texts(said))


def test_a_session_goes_on_after_pictures_have_gone(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as album:
        session = album.session()
        session.say("red")
        shown = session.results(5)
        session.mark(more=[shown[0].picture.id], less=[shown[1].picture.id])
        question = next((q for q in session.questions(50) if q.source == "pick"), None)
        if question is not None:
            session.answer(0, question=question)
        session.filter("folder=first|second")
        path = session.path
        gone = [folder / each.picture.paths[0] for each in shown[:3]]
    for file in gone:
        file.unlink()
    drawn("green", noise=99).save(folder / "new.png")
    with opened(folder) as album:
        assert path is not None
        again = album.session(resume=path)
        assert "has changed" in again.note and again.gallery.n == 10
        assert again.belief.p.sum() == pytest.approx(1) and not again.belief.mask.all()
        assert again.events == session.events


def test_a_vector_file_that_lost_its_rows_leaves_pictures_without_vectors(folder: Path) -> None:
    with opened(folder) as album:
        vectors = next((album.store.home / "vectors").glob("*.f32"))
    for kept in (5, 0):
        with vectors.open("r+b") as file:
            file.truncate(4 * Toy.dim * kept)
        with Album.open(folder, encoder=Toy()) as album:
            assert album.gallery.indexed.sum() == kept
            session = album.session(keep=False)
            session.say("red")
            assert np.isfinite(session.belief.log).all() and len(session.results(12)) == 12
            session.mark(more=[album.gallery.ids[0]])
            assert session.belief.p.sum() == pytest.approx(1)


def test_an_encoder_that_gives_no_numbers_is_one_error() -> None:
    class Broken(Toy):
        def encode_texts(self, texts):  # type: ignore[no-untyped-def]
            return np.full((len(texts), self.dim), np.nan, np.float32)

    gallery = Gallery([Picture("a"), Picture("b")], Broken(), index=Exact(np.eye(2, Toy.dim, dtype=np.float32)))
    with pytest.raises(EncoderError, match="not finite"):
        Session(gallery).say("red")


def test_what_is_kept_is_bounded_and_made_once() -> None:
    gallery = Gallery([Picture("a")], Toy(), index=Exact(np.eye(1, Toy.dim, dtype=np.float32)))
    made: list[int] = []

    def make() -> np.ndarray:
        made.append(1)
        return np.zeros(1)

    first = gallery.kept("a", make)
    assert gallery.kept("a", make) is first and len(made) == 1
    for number in range(2000):
        gallery.kept(number, make)
    assert len(gallery._kept) <= 512


class Wider(Toy):
    """An encoder that kept its id and changed its vectors; or its vectors were imported under the id of another."""

    dim = 2 * Toy().dim


def test_vectors_of_another_width_are_refused_in_one_line(folder: Path) -> None:
    with (
        opened(folder) as album,
        pytest.raises(EncoderError, match=r"has vectors of 64 numbers .*makes 128.*index again"),
    ):
        Gallery.of(album.store, Wider())
