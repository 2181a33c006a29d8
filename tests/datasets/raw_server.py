"""A local HTTP server that fails in the ways that real servers do."""

import gzip
import http.server
import io
import threading
import zipfile
from typing import Any

RATINGS = "".join(f"{user}::{item}::3::{978300000 + item}\n" for user in range(1, 7) for item in range(1, 7))


def zipped(name: str = "ml-1m/ratings.dat", content: str = RATINGS) -> bytes:
    """A zip file with a README and one other file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ml-1m/README", "read me")
        archive.writestr(name, content)
    return buffer.getvalue()


GOOD = zipped()


class Server(http.server.ThreadingHTTPServer):
    """Counts requests by path; `released` ends a stall.

    files: path -> content to serve; `moved/<path>` redirects to it, and `short/<path>` serves half of it.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: dict[str, int] = {}
        self.released = threading.Event()
        self.files: dict[str, bytes] = {}

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Responds as the path requests."""

    server: Server

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def break_off(self, content: bytes) -> None:
        """Announce the full length and send half of the content."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])

    def do_GET(self) -> None:
        path = self.path.strip("/")
        count = self.server.asked[path] = self.server.asked.get(path, 0) + 1
        way, _, name = path.partition("/")
        if path in self.server.files:
            self.answer(200, self.server.files[path])
        elif way == "moved" and name in self.server.files:
            self.answer(301, b"", Location=f"/{name}")
        elif way == "short" and name in self.server.files:
            self.break_off(self.server.files[name])
        elif path == "good.zip" or (path == "second" and count == 2):
            self.answer(200, GOOD)
        elif path == "plain":
            self.answer(200, RATINGS.encode())
        elif path == "gz":
            self.answer(200, gzip.compress(RATINGS.encode()))
        elif path == "malformed":
            self.send_response(200)
            self.send_header("Content-Length", "many")
            self.end_headers()
            self.wfile.write(GOOD)
        elif path in ("broken", "second"):
            self.answer(503, b"busy")
        elif path == "moved":
            self.answer(302, b"", Location="/good.zip")
        elif path == "page":
            self.answer(200, b"<!DOCTYPE html><html>Please sign in</html>")
        elif path == "nothing":
            self.answer(200, b"")
        elif path == "other":
            self.answer(200, zipped(content="9::9::9::9\n"))
        elif path == "short" or (path == "short-once" and count == 1):
            self.break_off(GOOD)
        elif path == "short-once":
            self.answer(200, GOOD)
        elif path == "stall":
            self.send_response(200)
            self.send_header("Content-Length", str(len(GOOD)))
            self.end_headers()
            self.wfile.write(GOOD[:10])
            self.wfile.flush()
            self.server.released.wait(20)
        else:
            self.answer(404, b"no such thing")
