"""A chat server on loopback that does wrong what servers do wrong. For tests of everything that talks with a model.

with faulty(["429", "hang"]) as server:      # the first request fails, the second gets no answer, the others are answered
    chat = Remote(server.url)
with faulty("500"): ...                      # every request fails
with faulty(reply='{"question": "..."}'): ...  # a server without faults; reply may be a function of the request
"""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REASONS = {
    "429": "rate limit", "429 later": "rate limit", "500": "server", "503 html": "server", "hang": "timeout",
    "drip": "timeout", "drip head": "timeout", "cut body": "cut", "close": "cut", "html": "not json",
    "bad json": "not json", "list": "not json", "content type": "not json", "empty choices": "empty", "empty": "empty",
    "null": "empty", "huge": "server", "error 200": "server", "401": "refused", "404": "asked wrongly",
    "redirect": "asked wrongly", "context": "too long", "filter": "refused",
}  # fmt: skip
"""Every fault of a request, and the reason of the ChatError that it becomes when it does not pass."""
STREAM_REASONS = {"cut stream": "cut", "bad event": "not json", "error event": "server", "nothing": "empty"}
"""Every fault of a stream alone; those above are faults of a stream, too."""
REPLY_REASONS = {"words": "not json", "wrong schema": "schema", "cut json": "not json"}
"""Replies that are whole, and are not what was asked for."""
Answer = str | Callable[[dict[str, Any]], str]


class Faulty(ThreadingHTTPServer):
    """The server. `asked` holds the bodies of all requests, `headers_seen` their headers, `left` is set when one was left."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        faults: Sequence[str] | str,
        reply: Answer,
        *,
        refuses: Sequence[str] = (),
        top: Mapping[str, float] | None = None,
        several: bool = True,
        models: Sequence[str] = ("tiny",),
        blind: bool = False,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply, self.refuses, self.top, self.several = reply, tuple(refuses), top, several
        self.models, self.blind = list(models), blind
        self.asked: list[dict[str, Any]] = []
        self.headers_seen: list[dict[str, str]] = []
        self.left = threading.Event()
        self.closing = threading.Event()
        self.scores: list[float] = []
        self.at_once = self._now = 0
        self._always = faults if isinstance(faults, str) else None
        self._faults = [] if isinstance(faults, str) else list(faults)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The address, as a Chat takes it."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def enter(self, body: dict[str, Any], headers: dict[str, str]) -> str:
        """Count a request, and say what goes wrong with it ("" for nothing)."""
        with self._lock:
            self.asked.append(body)
            self.headers_seen.append(headers)
            self._now += 1
            self.at_once = max(self.at_once, self._now)
            return self._always or (self._faults.pop(0) if self._faults else "")

    def leave(self) -> None:
        """Count the end of a request."""
        with self._lock:
            self._now -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


@contextmanager
def faulty(faults: Sequence[str] | str = (), reply: Answer = "a dog", **options: Any) -> Iterator[Faulty]:
    """A server that is there inside. faults: one for each request, in order, then none; or one for all."""
    server = Faulty(faults, reply, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Faulty
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._json({"data": [{"id": name} for name in self.server.models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.server.enter(body, {name.lower(): value for name, value in self.headers.items()})
        self.close_connection = True
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                self._do(fault, body)
        finally:
            self.server.leave()

    def _do(self, fault: str, body: dict[str, Any]) -> None:
        odd = next((name for name in self.server.refuses if name in body), "")
        seen = any(isinstance(each["content"], list) for each in body["messages"])
        wrong = _out_of_turn([each["role"] for each in body["messages"]], "system" not in self.server.refuses)
        if wrong:
            self._json({"error": {"message": wrong}}, status=400)
        elif odd:
            self._json({"error": {"message": f"Unsupported parameter: '{odd}'", "param": odd}}, status=400)
        elif self.server.blind and seen:
            self._json({"error": {"message": "image input is not supported"}}, status=500)
        elif fault == "key":
            self._json({"error": {"message": f"Incorrect API key: {self.headers['Authorization'][7:]}"}}, status=401)
        elif fault in _STATUSES:
            self._json(*_STATUSES[fault])
        elif fault in _TEXTS:
            self._send(200, _TEXTS[fault][0], _TEXTS[fault][1])
        elif fault in _WAYS:
            getattr(self, _WAYS[fault])(body)
        elif body.get("stream"):
            self._stream(fault, body)
        else:
            self._json(self._completion(body, _REPLIES.get(fault)))

    def _completion(self, body: dict[str, Any], text: str | None = None) -> dict[str, Any]:
        number = body.get("n", 1) if self.server.several else 1
        reply = self.server.reply
        choices: list[dict[str, Any]] = []
        for k in range(number):
            said = text if text is not None else reply if isinstance(reply, str) else reply(body)
            choices.append({"index": k, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"})
        if body.get("logprobs") and self.server.top is not None:
            top = [{"token": token, "logprob": p} for token, p in self.server.top.items()]
            choices[0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
        usage = {"prompt_tokens": 11, "completion_tokens": 5 * number}
        found: dict[str, Any] = {"object": "chat.completion", "choices": choices, "usage": usage}
        if body.get("prompt_logprobs") and self.server.scores:
            other = {"9": {"logprob": -0.01, "rank": 1}}
            found["prompt_logprobs"] = [None, *[{"5": {"logprob": -9.0, "rank": 80}}] * 10]
            found["prompt_logprobs"] += [{"7": {"logprob": p, "rank": 2}, **other} for p in self.server.scores]
        return found

    def _json(self, found: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, "application/json", json.dumps(found).encode(), headers)

    def _send(self, status: int, kind: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._head(status, kind, len(body), headers)
        self.wfile.write(body)

    def _head(self, status: int, kind: str, length: int, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(length), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _hang(self, _: dict[str, Any]) -> None:
        while not self.server.closing.wait(0.02):
            if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                self.server.left.set()
                return

    def _drip(self, body: dict[str, Any]) -> None:
        whole = json.dumps(self._completion(body, "x" * 4000)).encode()
        self._head(200, "text/event-stream" if body.get("stream") else "application/json", len(whole))
        self._drop_by_drop(whole)

    def _drip_head(self, _: dict[str, Any]) -> None:
        self._drop_by_drop(b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 4000)

    def _drop_by_drop(self, whole: bytes) -> None:
        try:
            for k in range(len(whole)):
                self.wfile.write(whole[k : k + 1])
                self.wfile.flush()
                if self.server.closing.wait(0.02):
                    return
        except OSError:
            self.server.left.set()

    def _cut_body(self, body: dict[str, Any]) -> None:
        whole = json.dumps(self._completion(body)).encode()
        self._head(200, "application/json", len(whole) + 500)
        self.wfile.write(whole)

    def _page_of_503(self, _: dict[str, Any]) -> None:
        self._send(503, "text/html", _PAGE)

    def _close(self, _: dict[str, Any]) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def _huge(self, _: dict[str, Any]) -> None:
        self._head(200, "application/json", 1 << 40)
        try:
            while not self.server.closing.is_set():
                self.wfile.write(b" " * (1 << 20))
        except OSError:
            self.server.left.set()

    def _stream(self, fault: str, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        text = self._completion(body)["choices"][0]["message"]["content"]
        if fault != "nothing":
            for word in text.split(" ")[: 1 if fault else None]:
                self._event({"choices": [{"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}]})
        if fault == "endless":
            with suppress(OSError):
                while not self.server.closing.wait(0.02):
                    self._event({"choices": [{"index": 0, "delta": {"content": "more "}, "finish_reason": None}]})
            self.server.left.set()
        elif fault == "cut stream":
            self._chunk(b"")
        elif fault == "bad event":
            self._chunk(b"data: {not json\n\n")
        elif fault == "error event":
            self._event({"error": {"message": "the model ran out of memory"}})
        elif fault == "key event":
            self._event({"error": {"message": f"Incorrect API key: {self.headers['Authorization'][7:]}"}})
        else:
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            if body.get("stream_options"):
                self._event({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 5}})
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")

    def _event(self, event: Any) -> None:
        self._chunk(f"data: {json.dumps(event)}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def _out_of_turn(roles: list[str], system: bool) -> str:
    """What a strict chat template, such as Gemma's, says of these roles; "" where it takes them."""
    if roles[0] == "system":
        if not system:
            return "System role not supported"
        roles = roles[1:]
    expected = [("user", "assistant")[k % 2] for k in range(len(roles))]
    return "" if roles == expected else "Conversation roles must alternate user/assistant/user/assistant/..."


_STATUSES: dict[str, tuple[Any, ...]] = {
    "429": ({"error": {"message": "slow down"}}, 429),
    "429 soon": ({"error": {"message": "slow down"}}, 429, {"Retry-After": "0.2"}),
    "429 later": ({"error": {"message": "slow down"}}, 429, {"Retry-After": "3600"}),
    "500": ({"error": {"message": "it broke"}}, 500),
    "401": ({"error": {"message": "no such key"}}, 401),
    "404": ({"error": {"message": "no such model"}}, 404),
    "redirect": ({}, 307, {"Location": "http://127.0.0.1:1/v1"}),
    "context": ({"error": {"message": "This model's maximum context length is 4096 tokens"}}, 400),
    "empty choices": ({"choices": []},),
    "error 200": ({"error": {"message": "it broke"}},),
    "list": ([1, 2],),
    "null": ({"choices": [{"message": {"role": "assistant", "content": None}, "finish_reason": "stop"}]},),
    "filter": ({"choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "content_filter"}]},),
}
_PAGE = b"<!doctype html><html><body>Welcome</body></html>"
_TEXTS: dict[str, tuple[str, bytes]] = {
    "html": ("text/html", _PAGE),
    "bad json": ("application/json", b'{"choices": [{"mess'),
    "content type": ("image/png", b'{"choices": [{"message": {"content": "a dog"}, "finish_reason": "stop"}]}'),
}
_REPLIES = {
    "words": "Sure! Here it is.",
    "wrong schema": '{"unexpected": 1}',
    "cut json": '{"question": "what',
    "empty": " ",
}
_WAYS = {
    "hang": "_hang", "drip": "_drip", "drip head": "_drip_head", "cut body": "_cut_body", "close": "_close",
    "huge": "_huge", "503 html": "_page_of_503",
}  # fmt: skip
