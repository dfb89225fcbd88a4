"""The server of the labelling page: only who knows the secret is answered, and what it is asked it does or refuses."""

import json
import threading
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.labelling import LabelServer


def answer(server: LabelServer, path: str, body: Any = None, host: str = "") -> tuple[int, bytes]:
    """Status and content of the answer to a GET, or to a POST of a body."""
    connection = HTTPConnection(*server.server_address[:2], timeout=20)
    headers = {"Host": host} if host else {}
    text = None if body is None else body if isinstance(body, str) else json.dumps(body)
    connection.request("GET" if body is None else "POST", path, text, headers)
    response = connection.getresponse()
    return response.status, response.read()


def test_labels_are_in_the_file_when_they_are_answered(server: LabelServer) -> None:
    base = f"/{server.secret}"
    first = json.loads(answer(server, f"{base}/next?page=a")[1])
    status, content = answer(server, f"{base}/label", {"frame": first["frame"], "label": "single", "page": "a"})
    assert status == 200 and json.loads(content)["frame"] == 1
    assert server.session.labels.path.read_text().splitlines()[2] == "single"
    known = json.loads(answer(server, f"{base}/frame/0")[1])
    assert known["label"] == "single" and known["height"] == 16
    assert answer(server, f"{base}/picture/0?zoom=2")[1].startswith(b"\x89PNG")
    assert b"frames.h5" in answer(server, f"{base}/")[1]


def test_nobody_else_is_answered(server: LabelServer) -> None:
    for path in ("/", "/next?page=a", f"/{server.secret[:-1]}/next?page=a", "/x/../"):
        assert answer(server, path)[0] == 404
    assert answer(server, f"/{server.secret}/", host="evil.example:80")[0] == 404  # a name that leads to 127.0.0.1
    assert answer(server, f"/{server.secret}/", host="localhost:9000")[0] == 200  # a tunnel from another port
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("label", {"frame": 0, "label": "both", "page": "a"}),
        ("label", {"frame": 99, "label": "single", "page": "a"}),
        ("label", {"frame": "0", "label": "single", "page": "a"}),
        ("label", {"frame": 0}),
        ("label", "{"),
        ("other", {"frame": 0, "label": "single", "page": "a"}),
        ("frame/99", None),
        ("frame/x", None),
        ("picture/0?zoom=3", None),
        ("next", None),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(server: LabelServer, path: str, body: Any) -> None:
    status, content = answer(server, f"/{server.secret}/{path}", body)
    assert status in (400, 409) and "\n" not in json.loads(content)["error"]
    assert not server.session.labels.labelled.any() and not server.session.labels.path.exists()


def test_a_port_in_use_is_refused(server: LabelServer) -> None:
    with pytest.raises(UserError, match="is in use"):
        LabelServer(server.session, server.server_address[1])
    with pytest.raises(UserError, match="cannot be used"):
        LabelServer(server.session, 70_000)


def test_many_pages_at_once_lose_nothing(server: LabelServer) -> None:
    def work(page: str) -> None:
        frame = json.loads(answer(server, f"/{server.secret}/next?page={page}")[1])["frame"]
        while frame is not None:
            body = {"frame": frame, "label": "single", "page": page}
            frame = json.loads(answer(server, f"/{server.secret}/label", body)[1])["frame"]

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.all(np.array(server.session.labels.words) == "single")
