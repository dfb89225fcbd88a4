"""Local server of the labelling page, for one user: 127.0.0.1 and a secret in every address."""

from __future__ import annotations

import errno
import json
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from spi_lightning.errors import UserError

from .frame_view import ZOOMS, scale_colours
from .session import LabelSession

HOST: Final = "127.0.0.1"
_LONGEST: Final = 10_000  # bytes of a request
_HEADERS: Final = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


class LabelServer(ThreadingHTTPServer):
    """Server of the page of one session, which only this machine reaches and only who knows its address.

    Args:
        session: Session of labelling.
        port: Port to listen at; 0: any free one.

    Raises:
        UserError: The port cannot be used.
    """

    daemon_threads = True

    def __init__(self, session: LabelSession, port: int = 0) -> None:
        self.session, self.secret = session, secrets.token_urlsafe(18)
        try:
            super().__init__((HOST, port), _Request)
        except (OSError, OverflowError) as error:
            used = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            cause = "is in use" if used else f"cannot be used ({error})"
            raise UserError(f"port={port} {cause}; give another one, or 0 for any free port") from error

    @property
    def address(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self.server_address[1]}/{self.secret}/"


class _Request(BaseHTTPRequestHandler):
    """One request: GET of the page, of the next frame, of a frame, its size or its picture; POST of a label."""

    server: LabelServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a GET."""
        self._guarded(self._get)

    def do_POST(self) -> None:
        """Answer a POST."""
        self._guarded(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Write no line for each request."""

    def _guarded(self, answer: Any) -> None:
        """Answer a request whose address holds the secret; a mistake is an answer of one line."""
        host = self.headers.get("Host", "").rpartition(":")[0]
        _, _, rest = (path := urlsplit(self.path).path).partition("/")
        given, _, name = rest.partition("/")
        known = secrets.compare_digest(given.encode(), self.server.secret.encode())
        if not known or host not in (HOST, "localhost") or not path.startswith("/"):
            self._send(HTTPStatus.NOT_FOUND, b"not found", "text/plain")
            return
        try:
            answer(name)
        except UserError as error:
            self._send_json({"error": str(error)}, HTTPStatus.CONFLICT)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except (ValueError, KeyError, TypeError) as error:
            self.close_connection = True
            self._send_json({"error": f"not a request of the page: {error}"}, HTTPStatus.BAD_REQUEST)

    def _get(self, name: str) -> None:
        session, words = self.server.session, parse_qs(urlsplit(self.path).query)
        if name == "":
            page = files("spi_lightning.labelling").joinpath("page.html").read_text(encoding="utf-8")
            known: dict[str, Any] = {"file": session.patterns.path.name, "labels": str(session.labels.path)}
            known |= {"colours": scale_colours(), "again": session.only is not None}
            about = json.dumps(known).replace("<", "\\u003c")
            self._send(HTTPStatus.OK, page.replace("{{ about }}", about).encode(), "text/html; charset=utf-8")
        elif name == "next":
            self._send_json(session.ask(words["page"][0]))
        else:
            what, _, number = name.partition("/")
            frame = int(session.patterns.check_indices([int(number)])[0])
            zoom = int(words.get("zoom", ["1"])[0])
            if what == "picture" and zoom in ZOOMS:
                self._send(HTTPStatus.OK, session.picture(frame, zoom)[0], "image/png")
            elif what == "frame":
                self._send_json({**session.state(frame), **session.picture(frame, 1)[1]})
            elif what == "size":
                self._send_json(session.size(frame))
            else:
                raise ValueError(name)

    def _post(self, name: str) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        if name != "label" or not 0 < length <= _LONGEST:
            raise ValueError(name)
        given = json.loads(self.rfile.read(length))
        self._send_json(self.server.session.put(given["frame"], given["label"], str(given["page"])))

    def _send_json(self, content: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for header, value in (*_HEADERS.items(), ("Content-Type", kind), ("Content-Length", str(len(content)))):
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(content)
