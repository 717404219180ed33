"""whichpic from Python, in five lines. Called by people, cli and web; puts the rooms together and decides nothing itself.

from whichpic import Album
album = Album.open("~/Pictures")
album.index()
for found in album.find("a dog on a beach"): print(found.picture.paths[0], found.p)
session = album.session(); session.say("a dog"); print(session.question.text)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whichpic.errors import DecodeError, QueryError, SessionError

if TYPE_CHECKING:
    from types import TracebackType

    from PIL.Image import Image

    from whichpic.album.decode import Decoded
    from whichpic.album.indexing import Progress, Report
    from whichpic.album.store import Store
    from whichpic.dialogue import Session, Shown, Term
    from whichpic.search.gallery import Gallery
    from whichpic.types import Encoder, Fact, Seer

    PictureLike = str | Path | Image

_BEST_FIRST = ("siglip2-base", "siglip-base", "chatir", "blip-coco", "clip-large", "clip-base", "names", "toy")


class Album:
    """A folder of pictures, or a data set of captions, made searchable."""

    def __init__(self, store: Store, encoder: Encoder) -> None:
        self.store = store
        self.encoder = encoder
        self._gallery: Gallery | None = None

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        encoder: str | Encoder = "auto",
        store: str | Path | None = None,
        fetch: Callable[[str], object] | None = None,
    ) -> Album:
        """Open a folder of pictures, or the file of a data set of captions (its layouts: `album.datasets`).

        `encoder` is a name (`auto`: the one that the album was indexed with, else the best to be had).

        `store` says where the index is kept, if not in the folder. `fetch(name)` is called for weights that are missing.
        Raises AlbumError, ModelError or EncoderError, each with one line that says what to do.
        """
        from whichpic.encoders import open_encoder
        from whichpic.errors import EncoderError, ExtraMissing, ModelError

        root, home = _path(folder), None if store is None else _path(store)
        opened = _present(root, home)
        if isinstance(encoder, str):
            # Before a store is made: a folder where no encoder can be had is left as it was.
            name = _name_of(opened, encoder)
            try:
                encoder = open_encoder(name, fetch=fetch)
            except (ExtraMissing, ModelError, EncoderError) as error:
                made_by = "" if opened is None else _made_by(opened, name)
                if encoder != "auto" or not made_by:
                    raise
                raise EncoderError(
                    f"the vectors of {root} are those of the encoder {made_by}, which is not on this machine ({error});"
                    " another one indexes the album anew: --encoder names"
                ) from None
        return cls(opened or _made(root, home), encoder)

    def index(
        self,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        captions: str | Path | None = None,
        image_column: str | None = None,
        caption_column: str | None = None,
        split: str | None = None,
        opening: bool | None = None,
        **options: Any,
    ) -> Report:
        """Bring the index up to date with the folder or the data set; see `album.indexing.index` for the options.

        captions: a further captions file; of a data set that lists names only, the file with their captions. split and
        opening: of a data set of captions, see `album.datasets.read_dataset`. What is given is remembered.
        """
        from whichpic.album import places
        from whichpic.album.captions import CaptionFile
        from whichpic.album.datasets import Reading
        from whichpic.album.indexing import index
        from whichpic.album.store import Store

        root, home = self.store.root, self.store.home
        if not self.store.captions_only and (split is not None or opening is not None):
            raise QueryError(f"{root} is a folder of pictures: split and opening are of data sets of captions")
        self.store.close()
        # A store that was named when the album was opened need not be the one that would be found.
        self.store = Store.open(root, store=None if places.find(root) == home else home, create=True)
        if self.store.captions_only:
            other = None if captions is None else str(_path(captions).absolute())
            options["reading"] = Reading(split, opening, other, image_column, caption_column)
        else:
            options["seer"] = bundled_seer()
            options["captions"] = (
                () if captions is None else (CaptionFile(_path(captions), image_column, caption_column),)
            )
        report = index(self.store, self.encoder, on_progress=on_progress, **options)
        self._gallery = None
        return report

    @property
    def gallery(self) -> Gallery:
        """The album as it can be searched now. Raises EncoderError where it was never indexed."""
        if self._gallery is None:
            from whichpic.search.gallery import Gallery

            self._gallery = Gallery.of(self.store, self.encoder)
        return self._gallery

    def find(
        self,
        *texts: str,
        like: Sequence[PictureLike | tuple[float, PictureLike]] = (),
        unlike: Sequence[PictureLike | tuple[float, PictureLike]] = (),
        plus: Sequence[tuple[float, str]] = (),
        minus: Sequence[tuple[float, str]] = (),
        where: Sequence[str] = (),
        k: int = 12,
    ) -> list[Shown]:
        """The k pictures that fit best: texts, pictures and weighted texts for and against, under filters.

        `like` and `unlike` take a path, a picture id of this album or a PIL image, or a pair (weight, picture); `where`
        takes conditions like `has=dog`.
        """
        session = self.session(keep=False)
        terms = [_text(text) for text in texts]
        for sign, pictures in ((1.0, like), (-1.0, unlike)):
            for each in pictures:
                weight, picture = each if isinstance(each, tuple) else (1.0, each)
                terms.append(self.term(picture, weight=sign * weight))
        terms += [_text(text, weight) for weight, text in plus] + [_text(text, -weight) for weight, text in minus]
        if where:
            session.filter(*where)
        if terms:
            session.say_terms(terms)
        elif not where:
            raise SessionError("nothing to look for: give words, a picture or a filter")
        return session.results(k)

    def term(self, picture: str | Path | Image, *, weight: float = 1.0) -> Term:
        """A picture as part of a query. Raises QueryError for an album that has captions only."""
        from whichpic.dialogue import Term

        if self.store.captions_only:
            raise QueryError(f"{self.store.root} has captions only: describe the picture in words")

        if isinstance(picture, str | Path):
            known = self._known(str(picture))
            if known is not None:
                return Term(picture=known, name=str(picture), weight=weight)
            image, name = read_picture(_path(picture)).image, str(picture)
        else:
            image, name = picture, "a picture"
        return Term.of_vector(self.gallery.encode_picture(image), name, weight)

    def _known(self, name: str) -> str | None:
        if name in self.gallery.positions:
            return name
        by_path = {path: picture.id for picture in self.gallery.pictures for path in picture.paths}
        return by_path.get(name.replace("\\", "/"))

    def session(self, resume: str | Path | None = None, *, keep: bool = True, **options: Any) -> Session:
        """A new session, or one that was kept: by its id, or by the path of its file; options are `Session`'s.

        With `chat=whichpic.chat.open_chat(...)`, `session.refine()` asks that model for what it can add to the last event.
        """
        from whichpic.dialogue import Session

        if not self.store.captions_only:
            options.setdefault("pictures", self.store.image)
        folder = self.store.sessions if keep else None
        if resume is None:
            return Session(self.gallery, folder=folder, **options)
        path = _path(resume)
        if not _is_file(path):
            path = self.store.sessions / f"{path.name}.jsonl"
        if not _is_file(path):
            raise SessionError(f"no session '{resume}' in {self.store.sessions}")
        return Session.resume(self.gallery, path, folder=folder, **options)

    def sessions(self) -> list[Path]:
        """The files of the sessions that were kept, newest first."""
        return sorted(self.store.sessions.glob("*.jsonl"), reverse=True) if self.store.sessions.is_dir() else []

    def facts(self, picture: str) -> tuple[Fact, ...]:
        """What is known of a picture, by its id or its path in the album."""
        known = self._known(picture)
        if known is None:
            raise QueryError(f"the album has no picture {picture}")
        return self.gallery.facts_of(known)

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def __enter__(self) -> Album:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_picture(path: Path) -> Decoded:
    """A picture that the user named, decoded under limits. Raises QueryError with its name and what is wrong."""
    from whichpic.album.decode import decode

    if not _is_file(path):
        raise QueryError(f"{path} is not a file; give a picture")
    try:
        return decode(path)
    except DecodeError as error:
        raise QueryError(f"{path}: {error}") from None


def bundled_seer() -> Seer | None:
    """The bundled classifier and detector, or None where their weights or their runtime are not here."""
    from whichpic.encoders.seeing import EfficientSeer
    from whichpic.errors import ExtraMissing, ModelError

    try:
        return EfficientSeer.load()
    except (ExtraMissing, ModelError):
        return None


def _name_of(store: Store | None, encoder: str) -> str:
    """`auto` means the best of what the album has vectors of, before what could be had: a change costs an index."""
    from whichpic.settings import settings

    if encoder == "auto":
        encoder = settings().encoder
    if encoder == "auto" and store is not None:
        from whichpic.encoders import name_of

        named = {name.partition("@")[0]: name for has in reversed(store.encoders()) if (name := name_of(has))}
        return next((named[name] for name in _BEST_FIRST if name in named), encoder)
    return encoder


def _made_by(store: Store, name: str) -> str:
    """The id of the encoder of that name that the store has vectors of, "" where it has none."""
    plain = name.partition("@")[0]
    return next((has for has in store.encoders() if has == plain or has.startswith(f"{plain}-")), "")


def _present(folder: Path, store: Path | None) -> Store | None:
    """The store of a folder, None where there is none yet. Raises AlbumError where there is no such folder."""
    from whichpic.album.places import album_root
    from whichpic.album.store import Store
    from whichpic.errors import AlbumError

    album_root(folder)
    try:
        return Store.open(folder, store=store)
    except AlbumError:
        return None


def _path(given: str | Path) -> Path:
    """With ~ as the home; unlike Path.expanduser, the ~ of nobody is a name like any other."""
    return Path(os.path.expanduser(given))  # noqa: PTH111


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False


def _made(folder: Path, store: Path | None) -> Store:
    from whichpic.album.datasets import check
    from whichpic.album.store import Store

    if folder.is_file():
        check(folder)  # a file that is no data set gets no store beside it

    return Store.open(folder, store=store, create=True)


def _text(text: str, weight: float = 1.0) -> Term:
    from whichpic.dialogue import Term

    return Term(text=text, weight=weight)
