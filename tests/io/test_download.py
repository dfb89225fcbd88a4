"""Downloading from a server on this machine that fails as servers do."""

import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from spi_lightning.io.download import DownloadError, download

CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Gives CONTENT from any byte on; ``faults`` go wrong first: a status, or a number of bytes to stop after."""

    faults: list[int] = []  # noqa: RUF012
    ranges: list[str | None] = []  # noqa: RUF012
    resumes = True

    def do_GET(self) -> None:
        wanted = self.headers.get("Range") if self.resumes else None
        self.ranges.append(wanted)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and fault < 1000:
            self.send_error(fault)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : len(CONTENT) if fault is None else start + fault])

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Server.faults, Server.ranges, Server.resumes = [], [], True
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/net.pth"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("faults", [[], [503, 429], [100_000, 500, 70_000]])
def test_a_file_comes_whole_through_a_server_in_trouble(url: str, tmp_path: Path, faults: list[int]) -> None:
    Server.faults = list(faults)
    download(url, tmp_path / "new/net.pth", SHA256)
    assert (tmp_path / "new/net.pth").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["net.pth"]
    if faults and faults[0] > 1000:
        assert Server.ranges == [None, *["bytes=65536-"] * 2, "bytes=131072-"]


@pytest.mark.parametrize("resumes", [True, False])
def test_an_interrupted_download_is_resumed(url: str, tmp_path: Path, resumes: bool) -> None:
    Server.resumes = resumes
    (tmp_path / "net.pth.part").write_bytes(CONTENT[:1234])
    download(url, tmp_path / "net.pth", SHA256)
    assert (tmp_path / "net.pth").read_bytes() == CONTENT
    assert Server.ranges == ["bytes=1234-" if resumes else None]


def test_a_finished_part_only_takes_its_name(url: str, tmp_path: Path) -> None:
    (tmp_path / "net.pth.part").write_bytes(CONTENT)
    download(url, tmp_path / "net.pth", SHA256)
    assert (tmp_path / "net.pth").read_bytes() == CONTENT


def test_a_file_with_the_right_content_needs_no_server_and_another_is_replaced(url: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(CONTENT)
    download(url, path, SHA256)
    assert not Server.ranges
    path.write_bytes(b"damaged")
    download(url, path, SHA256)
    assert path.read_bytes() == CONTENT and Server.ranges == [None]


def test_a_part_of_something_else_is_thrown_away(url: str, tmp_path: Path) -> None:
    (tmp_path / "net.pth.part").write_bytes(b"something else")
    download(url, tmp_path / "net.pth", SHA256)
    assert (tmp_path / "net.pth").read_bytes() == CONTENT and Server.ranges == ["bytes=14-", None]


def test_other_content_is_refused_and_leaves_what_was_there(url: str, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"older")
    with pytest.raises(DownloadError, match=r"^SHA256 hash of downloaded file \(net.pth\) does not match.*ababab"):
        download(url, tmp_path / "net.pth", "ab" * 32, attempts=2)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"net.pth": b"older"}


def test_content_that_the_caller_refuses_is_requested_again(url: str, tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise ValueError(f"{path.stat().st_size} bytes of nonsense")

    with pytest.raises(DownloadError, match="300000 bytes of nonsense"):
        download(url, tmp_path / "a", check=refuse, attempts=3)
    assert len(Server.ranges) == 3 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("faults", [[404], [503] * 9])
def test_a_server_without_the_file_is_requested_again_only_if_that_may_help(
    url: str, tmp_path: Path, faults: list[int]
) -> None:
    Server.faults = list(faults)
    with pytest.raises(DownloadError, match=rf"^the server answers {faults[0]} \w+"):
        download(url, tmp_path / "net.pth", SHA256)
    assert len(Server.ranges) == (1 if faults == [404] else 4) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a", "http://no-such-machine.invalid/a", "no address"])
def test_without_a_server_the_reason_is_a_clause(tmp_path: Path, address: str) -> None:
    with pytest.raises(DownloadError, match=r"^the server cannot be reached or breaks off \([^()]+\)$") as error:
        download(address, tmp_path / "a")
    assert "\n" not in str(error.value)
