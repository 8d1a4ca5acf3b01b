"""A local stand-in for Gemini's API, for the demo and the tests; nothing that it answers comes from Google.

python demo/gemini_server.py COMMAND...   runs a command that finds the stand-in instead of the service, and stops with it
"""

import base64
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSION = 3072
KEY = "no-key-of-google"
EMBEDDED_FRAMES_PER_SECOND = 15
ERRORS = {
    "rate_limit": (429, "RESOURCE_EXHAUSTED"),
    "unavailable": (503, "UNAVAILABLE"),
    "bad_request": (400, "INVALID_ARGUMENT"),
    "bad_key": (400, "INVALID_ARGUMENT"),
    "unauthorized": (401, "UNAUTHENTICATED"),
    "forbidden": (403, "PERMISSION_DENIED"),
    "unknown_model": (404, "NOT_FOUND"),
}
SPOILED: dict[str, Callable[[NDArray[np.float64]], Any]] = {
    "short": lambda vector: vector[:768],
    "nan": lambda vector: np.where(np.arange(len(vector)) == 7, np.nan, vector),
    "not_unit": lambda vector: 2 * vector,
}
OTHERS = ("empty", "html", "closed", "slow")
FAULTS = (*ERRORS, *SPOILED, *OTHERS)

Embed = Callable[[Sequence[bytes]], NDArray[np.float64]]


def hashed(parts: Sequence[bytes]) -> NDArray[np.float64]:
    """A unit vector (3072,) that tells contents apart and nothing else."""
    seed = int.from_bytes(hashlib.sha256(b"\0".join(parts)).digest()[:8])
    return _unit(np.random.default_rng(seed).normal(size=DIMENSION))


def seen(parts: Sequence[bytes]) -> NDArray[np.float64]:
    """A unit vector (3072,) of what moves in the first part, a video: mean, spread and end of the demo's provided feature."""
    import av
    from faces import embed

    with av.open(io.BytesIO(parts[0])) as container:
        pictures = container.streams.video[0]
        step = max(1, round(float(pictures.average_rate) / EMBEDDED_FRAMES_PER_SECOND))
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(pictures)]
    course = embed(frames[::step]).astype(np.float64)
    return _unit(np.concatenate([course.mean(0), course.std(0), course[-1]]))


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


class GeminiServer:
    """Answers on 127.0.0.1 while the context lasts, and counts.

    Args:
        embed: the bytes of a content's parts -> unit vector.
        fault: how often this content was asked for before, its SHA-256 -> a name of FAULTS, or None for a good answer.
        delay_s: seconds that a good answer takes.
        retry_delay_s: seconds that a rate limit asks to wait.
        slow_s: seconds that a slow answer takes.
    """

    def __init__(
        self,
        embed: Embed = hashed,
        fault: Callable[[int, str], str | None] = lambda before, digest: None,
        delay_s: float = 0.0,
        retry_delay_s: float = 0.05,
        slow_s: float = 3.0,
    ) -> None:
        self.embed, self.fault, self.delay_s, self.retry_delay_s, self.slow_s = embed, fault, delay_s, retry_delay_s, slow_s
        self.asked: Counter[str] = Counter()  # content -> requests
        self.answered: Counter[str] = Counter()  # content -> good answers that were sent off
        self.paths: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.most_at_once = self._at_once = 0
        self._lock = Lock()
        self._http = _Http(self)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "GeminiServer":
        Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """What google-genai must find to ask here."""
        return {"GOOGLE_GEMINI_BASE_URL": self.url, "GEMINI_API_KEY": KEY, "GOOGLE_API_KEY": "", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    def begin(self, path: str, content: dict[str, Any], digest: str) -> str | None:
        with self._lock:
            before = self.asked[digest]
            self.asked[digest] += 1
            self.paths.append(path)
            self.bodies.append(content)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            return self.fault(before, digest)

    def end(self, digest: str, good: bool) -> None:
        with self._lock:
            self._at_once -= 1
            self.answered[digest] += good


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, gemini: GeminiServer) -> None:
        self.gemini = gemini
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off is nothing to report; anything else is."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        received = self.rfile.read(int(self.headers["Content-Length"]))
        if len(received) < int(self.headers["Content-Length"]):
            self.close_connection = True  # the client was killed
            return
        body = json.loads(received)
        content = body["requests"][0]["content"] if "requests" in body else body["content"]
        parts = [_bytes(part) for part in content["parts"]]
        digest = hashlib.sha256(b"\0".join(parts)).hexdigest()
        fault, good = self.server.gemini.begin(self.path, body, digest), False
        try:
            good = self._reply(fault, parts, "requests" in body)
        finally:
            self.server.gemini.end(digest, good)

    def _reply(self, fault: str | None, parts: Sequence[bytes], batch: bool) -> bool:
        if fault in ERRORS:
            self._send_error(fault)
        elif fault == "html":
            self._send(502, b"<html><body>Bad Gateway</body></html>", "text/html")
        elif fault == "closed":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b'{"embeddings": [{"val')
            self.wfile.flush()
            self.connection.close()
        elif fault == "empty":
            self._send(200, b"{}")
        else:
            gemini = self.server.gemini
            time.sleep(gemini.slow_s if fault == "slow" else gemini.delay_s)
            values = np.asarray(SPOILED.get(fault or "", lambda vector: vector)(gemini.embed(parts))).tolist()
            self._send(200, json.dumps({"embeddings": [{"values": values}]} if batch else {"embedding": {"values": values}}).encode())
            return fault is None
        return False

    def _send_error(self, fault: str) -> None:
        code, status = ERRORS[fault]
        # A careless server repeats the key.
        error: dict[str, Any] = {"code": code, "status": status, "message": f"{fault} for key {self.headers.get('x-goog-api-key')}", "details": []}
        if fault == "rate_limit":
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{self.server.gemini.retry_delay_s}s"}]
        if fault == "bad_key":
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
        self._send(code, json.dumps({"error": error}).encode())

    def _send(self, code: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the client did not wait

    def log_message(self, *message: object) -> None:
        """Says nothing: the demo's own lines should stand alone."""


def _bytes(part: dict[str, Any]) -> bytes:
    inline = part.get("inline_data") or part.get("inlineData")
    return base64.urlsafe_b64decode(inline["data"]) if inline else part["text"].encode()


def main(command: Sequence[str]) -> int:
    """Runs the command while the stand-in answers; its exit status. SIGTERM is passed on; Ctrl-C reaches the command by itself, and is waited for."""
    with GeminiServer(seen) as server:
        # Not SIG_IGN: the command would inherit that.
        signal.signal(signal.SIGINT, lambda number, frame: None)
        try:
            process = subprocess.Popen(command, env=os.environ | server.environment)
        except OSError as error:
            sys.exit(f"gemini_server.py: {command[0]} cannot be started ({error.strerror}).")
        signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
        status = process.wait()
        print(f"The local stand-in for Gemini answered {server.answered.total()} requests; nothing was sent to Google.", flush=True)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if sys.argv[1:] else __doc__)
