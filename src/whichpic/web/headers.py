"""What every response says to the browser: which scripts may run, who may embed it, who may keep it. Called by guard.

docs/serving.md says which exceptions the scripts of NiceGUI need, and why.
"""

from __future__ import annotations

from collections.abc import Iterable

NONCE = "whichpic.nonce"
"""Where the guard leaves the nonce of a request, in its scope, for the template of pages."""

Header = tuple[bytes, bytes]

_ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=()",
    ),
)
_PAGE = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
OWN = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Of a plain page that is made here, without a script: an error, the question for the token."""
_FILE = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)
"""Of a page that is a file (a report): styles and pictures of its own, nothing else, and no part in this site."""
_REST = "default-src 'none'; frame-ancestors 'none'"


def protected(headers: Iterable[Header], *, path: str, nonce: str) -> list[Header]:
    """The headers of a response with ours. A policy or a Cache-Control that the response brings is kept; CORS is not."""
    kept = [(name.lower(), value) for name, value in headers]
    kept = [each for each in kept if not each[0].startswith(b"access-control-") and each[0] != b"server"]
    there = dict(kept)
    if b"content-security-policy" not in there:
        kept.append((b"content-security-policy", _policy(there, nonce).encode()))
    if b"cache-control" not in there:
        kept.append((b"cache-control", b"no-cache" if path.startswith("/static/") else b"no-store"))
    return [*(each for each in kept if each[0] not in dict(_ALWAYS)), *_ALWAYS]


def _policy(there: dict[bytes, bytes], nonce: str) -> str:
    if not there.get(b"content-type", b"").lstrip().lower().startswith((b"text/html", b"application/xhtml")):
        return _REST
    return _PAGE.format(nonce=nonce) if there.get(b"x-nicegui-content") == b"page" else _FILE


def bless_template() -> None:
    """Let the scripts of NiceGUI's own page, and no others, carry the nonce of their request.

    The tags are marked in the template, before anything of ours is filled in: what a page holds can never get a nonce.
    """
    from jinja2 import ChoiceLoader, DictLoader
    from nicegui import client

    environment = client.templates.env
    loader = environment.loader
    if loader is None:
        raise RuntimeError("the templates of NiceGUI have no loader")
    source = loader.get_source(environment, "index.html")[0]
    if NONCE in source:
        return
    marked = source.replace("<script", f'<script nonce="{{{{ request.scope["{NONCE}"] }}}}"')
    environment.loader = ChoiceLoader([DictLoader({"index.html": marked}), loader])
    if environment.cache is not None:
        environment.cache.clear()
