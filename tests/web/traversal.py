"""Names that lead elsewhere, where a server is careless: 500 of them. Called by test_api_traversal.

Each is sent as it stands in the address: what is encoded here is what a client would have encoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

_UP = (
    "..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "%25252e%25252e", "..%00", "..%20", "...", "....",
    "%c0%ae%c0%ae", "%c0%2e%c0%2e", "%e0%80%ae%e0%80%ae", "%f0%80%80%ae%f0%80%80%ae", "%uff0e%uff0e", "..%c2%a0",
    "%ef%bc%8e%ef%bc%8e", "..%01", ".%00.", "..;", "..%3b",
)  # fmt: skip
_BETWEEN = (
    "/", "%2f", "%2F", "%252f", "%25252f", "\\", "%5c", "%255c", "%c0%af", "%c1%9c", "%e0%80%af", "//", "/./", "%2f%2f",
    "%ef%bc%8f", "%u2215", "/%00/", "%2f.%2f",
)  # fmt: skip
_BEFORE = (
    "%2f", "%2f%2f", "file:%2f%2f%2f", "%00", "C:%5c", "c:", "%5c%5clocalhost%5c", "%5c%5c%3f%5c", "~%2f", "%7e%2f", ".%2f",
    "%2fproc%2fself%2froot%2f", "%2fproc%2fself%2fcwd%2f",
)  # fmt: skip
_AFTER = ("%00", "%00.jpg", "::$DATA", ".", "%20", "%3fx=1", "%23x", "%2f", "%0a", "%0d%0aX-Header:%20x")


def strings(targets: Sequence[str], *, n: int = 500) -> list[str]:
    """n strings that would lead to one of the targets (absolute paths), and some that lead to what any machine has."""
    made = dict.fromkeys(_all([each.lstrip("/") for each in targets]))
    found = list(made)
    if len(found) < n:
        raise ValueError(f"{len(found)} strings, {n} are wanted")
    plain = found[-40:]  # of those at the end there is one each
    step = (len(found) - len(plain)) / (n - len(plain))
    return [found[int(k * step)] for k in range(n - len(plain))] + plain


def _all(targets: list[str]) -> Iterator[str]:
    for target, up, between in product(targets, _UP, _BETWEEN):
        for depth in (1, 3, 12):
            yield between.join([*[up] * depth, *target.split("/")])
        name = target.rsplit("/", 1)[-1]
        yield between.join([up, name])
        yield between.join(["thumbs", up, name])
    for target in targets:
        coded = target.replace("/", "%2f")
        for before in _BEFORE:
            yield f"{before}{coded}"
        for after in _AFTER:
            yield f"{coded}{after}"
        yield from (f"/{target}", f"//{target}", f"C:/{target}", f"//localhost/{target}", f"{target}/", coded.upper())
    yield from ("CON", "NUL", "aux.jpg", "LPT1", "%2fdev%2fzero", "%2fdev%2frandom", "%2fproc%2fself%2fenviron",
                "%2fetc%2fpasswd", "%00", "%2e", "%2f", "*", "%2a", "?", "%3f", "$HOME", "%24%7bHOME%7d", "`id`", "%60id%60",
                "catalogue.sqlite", "link", "link.jsonl", "link.png", "lock", "sessions", "-", "--help",
                "%ff%fe", "%ed%a0%80", "%f0%9f%98%80")  # fmt: skip
