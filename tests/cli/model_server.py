"""A model behind an OpenAI-compatible server on loopback, which says what a function says. For tests of commands."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ModelServer:
    """`asked` holds the bodies of the requests that came in; a context manager that serves while it is open."""

    def __init__(self, say: Callable[[dict[str, Any]], str]) -> None:
        self.asked: list[dict[str, Any]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._send({"object": "list", "data": [{"id": "tiny-vlm", "object": "model"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.asked.append(body)
                text = say(body)
                if body.get("stream"):
                    self._stream(text)
                    return
                message = {"role": "assistant", "content": text}
                self._send({"id": "1", "object": "chat.completion", "created": 0, "model": "tiny-vlm",
                            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}})  # fmt: skip

            def _send(self, plain: dict[str, Any]) -> None:
                data = json.dumps(plain).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _stream(self, text: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                ends: list[str | None] = [None] * len(text.split(" "))
                ends[-1] = "stop"
                for number, (word, end) in enumerate(zip(text.split(" "), ends, strict=True)):
                    piece = {"index": 0, "delta": {"content": f" {word}" if number else word}, "finish_reason": end}
                    chunk = {
                        "id": "1",
                        "object": "chat.completion.chunk",
                        "created": 0,
                        "model": "m",
                        "choices": [piece],
                    }
                    self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                self.wfile.write(b"data: [DONE]\n\n")
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> ModelServer:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def question_of(body: dict[str, Any]) -> str:
    """The text of the last message."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def pictures_of(body: dict[str, Any]) -> list[str]:
    """The data URLs of all messages."""
    parts = [
        part for message in body["messages"] if isinstance(message["content"], list) for part in message["content"]
    ]
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


def in_process(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command run in this process: quick, for what is refused."""
    from typer.testing import CliRunner

    from whichpic.cli.app import app
    from whichpic.settings import settings

    settings.cache_clear()
    try:
        done = CliRunner().invoke(app, list(words))
        return done.exit_code, done.stdout, done.stderr
    finally:
        settings.cache_clear()
