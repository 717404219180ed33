"""Every error that whichpic raises on purpose. The command line prints the message as one line and exits with 2.

A message names the thing, says what was expected and what to do about it.

    WhichpicError
    ├── AlbumError        a folder, a store or a catalogue that cannot be used
    │   ├── CaptionError  a captions file whose layout is not understood
    │   └── StoreFull     the disk is full; what was committed is kept
    ├── DecodeError       one picture that cannot be read; it is skipped, never fatal to an album
    ├── ModelError        weights that cannot be had, or are not what they should be
    ├── EncoderError      an encoder that is unknown, or does not fit the album's vectors
    ├── QueryError        a query or a filter that makes no sense
    ├── SessionError      a session that cannot be read, or an event that does not fit its state
    ├── ChatError         a model that did not answer, or not as asked; `reason` says which
    ├── ChatPending       a reply that a batch file has not brought yet
    └── ExtraMissing      a part of whichpic that is installed separately
"""

from __future__ import annotations


class WhichpicError(Exception):
    """The root of the tree. `exit_code` is what the command line exits with."""

    exit_code = 2


class AlbumError(WhichpicError):
    """A folder, a store or a catalogue that cannot be used."""


class CaptionError(AlbumError):
    """A captions file whose layout is not understood."""


class StoreFull(AlbumError):
    """The disk is full. What was committed is kept, and the next run goes on from there."""


class DecodeError(WhichpicError):
    """One picture that cannot be read. Its message is the reason that is kept beside the file."""


class ModelError(WhichpicError):
    """Weights that cannot be had, or are not what they should be."""


class EncoderError(WhichpicError):
    """An encoder that is unknown, or does not fit the vectors of an album."""


class QueryError(WhichpicError):
    """A query or a filter that makes no sense."""


class SessionError(WhichpicError):
    """A session that cannot be read, or an event that does not fit its state."""


class ChatError(WhichpicError):
    """A model that did not answer, or not as asked. A session goes on without it, and says so.

    reason: timeout, rate limit, server, unreachable, refused (key or permission), not json, empty, cut (a stream that
    ended early), schema, too long (the prompt), unsupported, asked wrongly, cancelled.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[ChatError], tuple[str, str]]:
        return type(self), (self.reason, str(self))  # out of a worker process, with its reason

    @property
    def again(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.reason in ("timeout", "rate limit", "server", "unreachable", "cut", "empty", "not json")


class ChatPending(WhichpicError):
    """A reply that a batch file has not brought yet. Not a fault: the work stops here and goes on when it has."""

    exit_code = 4


class ExtraMissing(WhichpicError):
    """A part of whichpic that is installed separately."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'whichpic[{extra}]'")
        self._given = (what, extra)

    def __reduce__(self) -> tuple[type[ExtraMissing], tuple[str, str]]:
        return type(self), self._given
