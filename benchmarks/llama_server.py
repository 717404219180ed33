"""A llama.cpp server on the loopback interface, started here and stopped again. For tests and benchmarks of real models.

    python -m benchmarks.llama_server WEIGHTS [--port 8080] [--context 4096] [--slots 1] [--threads 2]

WEIGHTS is a .gguf file, or a language model of `whichpic models list` that is on this machine. Needs xllamacpp. Prints
its address; ends when its input is closed (Ctrl-D) or it is interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from whichpic.errors import ModelError

MISSING = "the package xllamacpp is not installed: pip install xllamacpp"


def installed() -> bool:
    """Whether a server can be started here."""
    return importlib.util.find_spec("xllamacpp") is not None


def weights(name: str | Path) -> Path:
    """The .gguf file of a path, or of a language model that is on this machine. Raises ModelError with what to do."""
    from whichpic.models import MODELS, locate

    path = Path(name).expanduser()
    if path.is_file():
        return path
    found = MODELS.get(str(name))
    if found is None or found.kind != "language":
        raise ModelError(f"{name} is neither a .gguf file nor a language model of `whichpic models list`")
    return locate(found.name) / found.files[0].name


@contextlib.contextmanager
def serving(
    path: str | Path, *, context: int = 4096, slots: int = 1, threads: int = 2, timeout: float = 120.0
) -> Iterator[str]:
    """The address (http://127.0.0.1:PORT/v1) of a server in a process of its own, stopped at the end.

    context: tokens of all slots together; slots: requests answered at a time. Raises ModelError where it does not start
    within `timeout` seconds, with what it said last.
    """
    if not installed():
        raise ModelError(MISSING)
    command = [sys.executable, "-m", "benchmarks.llama_server", str(weights(path).resolve()), "--port", "0"]
    command += ["--context", str(context), "--slots", str(slots), "--threads", str(threads)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    said: list[str] = []
    assert process.stdin and process.stdout and process.stderr
    listener = threading.Thread(target=_listen, args=(process, said), daemon=True)
    listener.start()
    try:
        address = _address(process, timeout)
        if not address:
            last = said[-1] if said else "it said nothing"
            raise ModelError(f"the llama.cpp server did not start: {last}")
        yield f"{address}/v1"
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.join(timeout=5)
        process.stdout.close()
        process.stderr.close()


def _listen(process: subprocess.Popen[str], said: list[str]) -> None:
    """Empty the server's log as it comes: a full pipe would stop it."""
    assert process.stderr
    with contextlib.suppress(ValueError, OSError):
        for line in process.stderr:
            said.append(line.strip())
            del said[:-20]


def _address(process: subprocess.Popen[str], timeout: float) -> str:
    assert process.stdout
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    try:
        return process.stdout.readline().strip()
    finally:
        timer.cancel()


def answers(address: str) -> bool:
    """Whether a server answers there."""
    try:
        with urllib.request.urlopen(f"{address}/models", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("weights")
    options.add_argument("--port", type=int, default=8080)
    options.add_argument("--context", type=int, default=4096)
    options.add_argument("--slots", type=int, default=1)
    options.add_argument("--threads", type=int, default=min(os.cpu_count() or 1, 8))
    chosen = options.parse_args()
    if not installed():
        raise SystemExit(MISSING)
    try:
        path = weights(chosen.weights)
    except ModelError as error:
        raise SystemExit(str(error)) from None
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {path.stem}
    params.hostnames = ["127.0.0.1"]
    params.port = chosen.port
    params.n_ctx = chosen.context
    params.n_parallel = chosen.slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = chosen.threads
    params.cpuparams.poll = params.cpuparams_batch.poll = 0  # no spinning: other processes want the cores too
    params.ui = False
    params.verbosity = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        while sys.stdin.readline():
            pass
    # Not by `del server`, which waits for the reply that is being written: nobody will read it.
    os._exit(0)


if __name__ == "__main__":
    main()
