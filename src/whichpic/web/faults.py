"""Pages that say what went wrong, in the visitor's language, without a script; JSON for programs. Called by app, guard."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from whichpic.web.headers import OWN
from whichpic.web.texts import HTML_LANGUAGE, language_of, say, texts

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from starlette.responses import Response

    from whichpic.web.site import Site
    from whichpic.web.texts import Language


_STYLE = (
    ":root{color-scheme:light dark}body{margin:0;padding:1rem 1.25rem 3rem;background:light-dark(#fdfdfb,#14171a);"
    'color:light-dark(#1c2126,#e6e9eb);font:1rem/1.55 "Source Sans 3",-apple-system,"Segoe UI","Noto Sans",Ubuntu,'
    '"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",system-ui,sans-serif;overflow-wrap:break-word}'
    "a{color:light-dark(#0a5c82,#79c2e6)}header a{color:inherit;text-decoration:none;font-weight:600}"
    "main{max-width:34rem;margin:12vh auto 0}h1{font:400 1.9rem/1.2 Charter,Georgia,serif;margin:0 0 1rem}"
    "input,button{font:inherit;color:inherit;background:light-dark(#f4f4ef,#1c2024);border:1px solid light-dark(#84898c,"
    "#6d7780);border-radius:4px;padding:.35rem .7rem;margin:.25rem .25rem .25rem 0;max-width:100%;box-sizing:border-box}"
    ":focus-visible{outline:2px solid light-dark(#0a5c82,#79c2e6);outline-offset:2px}"
)
"""The look of the pages, in a few lines: whoever has no token has no stylesheet."""


def for_programs(path: str) -> bool:
    """Whether what asks for an address is a program, and wants JSON."""
    return path.startswith("/api/") or path in ("/openapi.json", "/mcp")


def language_of_headers(headers: Mapping[str, str]) -> Language:
    """The language of a visitor who asked for no page in particular: the cookie, else what the browser prefers."""
    cookies = dict(part.strip().partition("=")[::2] for part in headers.get("cookie", "").split(";"))
    return language_of(None, cookies.get("lang"), headers.get("accept-language", ""))


def page(status: int, language: Language, line: str = "") -> str:
    """A page for a status. `line` says more, in English; it is text and never markup."""
    known = texts(language)
    key = str(status) if f"fault.{status}.title" in known else "other"
    title, text = say(f"fault.{key}.title", language), say(f"fault.{key}.text", language)
    form = ""
    if status == 401:
        form = (
            f'<form method="get"><label for="token">{escape(say("fault.token", language))}</label> '
            '<input id="token" name="token" type="password" autocomplete="current-password" required> '
            f"<button>{escape(say('fault.enter', language))}</button></form>"
        )
    detail = f"<p><small>{escape(line)}</small></p>" if line and status not in (401, 404, 500) else ""
    home = "" if status == 401 else f'<p><a href="/">{escape(say("fault.home", language))}</a></p>'
    return (
        f'<!doctype html>\n<html lang="{HTML_LANGUAGE[language]}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} · whichpic</title>\n"
        f'<style>{_STYLE}</style>\n</head>\n<body>\n<header><a href="/">whichpic</a></header>\n'
        f"<main>\n<h1>{escape(title)}</h1>\n<p>{escape(text)}</p>\n{form}{detail}{home}</main>\n</body>\n</html>\n"
    )


def handlers(app: FastAPI, site: Site) -> None:
    """Have an application, and NiceGUI's inside it, say what goes wrong in our words."""
    import nicegui
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    from whichpic.errors import WhichpicError
    from whichpic.web.api_errors import status_of

    async def http(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 404)
        if status in (404, 405) and (allowed := _allowed(app, request)):
            return said(request, 405, f"use {', '.join(allowed)} here", {"Allow": ", ".join(allowed)})
        return said(request, status, str(getattr(error, "detail", "")), dict(getattr(error, "headers", None) or {}))

    async def invalid(request: Request, error: Exception) -> Response:
        return said(request, 422, one_line(getattr(error, "errors", list)()))

    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, WhichpicError)
        return said(request, status_of(error), site.shelf.line(error))

    async def unknown(request: Request, error: Exception) -> Response:
        return said(request, 500, "that went wrong here; it was written down")

    for each in (app, nicegui.app):
        each.add_exception_handler(HTTPException, http)
        each.add_exception_handler(404, http)
        each.add_exception_handler(RequestValidationError, invalid)
        each.add_exception_handler(WhichpicError, known)
        each.add_exception_handler(Exception, unknown)


def said(request: Request, status: int, line: str, headers: Mapping[str, str] | None = None) -> Response:
    """A fault as a response: JSON below /api, a page elsewhere."""
    from starlette.responses import HTMLResponse, JSONResponse, Response

    if status in (204, 304):
        return Response(status_code=status, headers=headers)
    if for_programs(request.url.path):
        return JSONResponse({"detail": line}, status, headers)
    language = language_of_headers(request.headers)
    return HTMLResponse(page(status, language, line), status, {**(headers or {}), "Content-Security-Policy": OWN})


def one_line(errors: Any) -> str:
    """What is wrong with a request, in one line: where, and what was expected."""
    found = []
    for each in list(errors)[:3]:
        where = ".".join(str(part) for part in each.get("loc", ())[1:])
        found.append(f"{where[:80]}: {each.get('msg', 'not as expected')}" if where else str(each.get("msg", "")))
    return "; ".join(dict.fromkeys(" ".join(each.split()) for each in found)) or "not as expected"


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """The methods that an address of the API has, where it has none of this name."""
    from starlette.routing import Match, Mount

    if not request.url.path.startswith("/api/"):
        return []
    routes = [route for route in app.routes if not isinstance(route, Mount)]
    plain = {"type": "http", "path": request.url.path, "root_path": "", "headers": []}
    return [
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        if any(route.matches({**plain, "method": method})[0] is Match.FULL for route in routes)
    ]
