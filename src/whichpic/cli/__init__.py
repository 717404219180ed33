"""The command line: `whichpic COMMAND`. Every command parses, calls the library and prints; errors are one line and exit 2.

One file per command; heavy imports stay inside the commands, so that `whichpic --help` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

__all__ = ["main"]


def main() -> None:
    """Entry point of the `whichpic` program."""
    import warnings

    from whichpic.cli.app import app

    warnings.showwarning = _warn
    app()


def _warn(
    message: Warning | str, category: object, filename: str, lineno: int, file: object = None, line: object = None
) -> None:
    """A warning is a note to the person who typed a command, not a place in a program."""
    from whichpic.cli.output import note, printable

    note(f"whichpic: {printable(' '.join(str(message).split()))}")


@contextmanager
def told() -> Iterator[None]:
    """Turns what a command raises into one line and an exit code. Lies inside typer, whose own words say less."""
    from whichpic.errors import WhichpicError

    try:
        yield
        sys.stdout.flush()
    except WhichpicError as error:
        _fail(" ".join(str(error).split()), error.exit_code)
    except KeyboardInterrupt:
        _stopped()
    except BrokenPipeError:
        # The reader of a pipe has seen enough (`whichpic find ... | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno in (28, 27, 122):
            _fail(f"the disk is full: {error.filename or error.strerror}; what was committed is kept", 2)
        _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 2)


def _stopped() -> NoReturn:
    """Say that Ctrl-C was heard, and end, with 130; threads that hang (in a connection that never stands) do not hold it."""
    import threading
    from time import monotonic

    try:
        _fail("stopped; what was done is kept, and the same command goes on from there", 130)
    finally:
        until = monotonic() + 0.5
        others = [each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]
        for thread in others:
            thread.join(max(0.0, until - monotonic()))
        if any(thread.is_alive() for thread in others):
            sys.stderr.flush()
            os._exit(130)


def _fail(message: str, code: int) -> NoReturn:
    from whichpic.cli.output import note, printable

    sys.stdout.flush()
    note(f"whichpic: {printable(message)}")
    sys.exit(code)
