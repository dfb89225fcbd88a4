"""Downloads from a local server, and published weights whose download is made here."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.io.download import DownloadError, PublishedFile, download, fetch, find_published, read_weights

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


WEIGHTS = os.urandom(3000)
WEIGHTS_SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
PUBLISHED = PublishedFile("net.pth", "http://127.0.0.1:9/net.pth", WEIGHTS_SHA256, 1)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that were downloaded from, by a download that takes a moment."""
    made: list[str] = []

    def download(url: str, path: Path, sha256: str) -> None:
        if not path.exists():
            made.append(url)
            time.sleep(0.1)
            path.write_bytes(WEIGHTS)

    monkeypatch.setattr("spi_lightning.io.download.download", download)
    return made


def test_threads_at_the_same_time_download_a_file_once(downloads: list[str], tmp_path: Path) -> None:
    threads = [threading.Thread(target=fetch, args=(PUBLISHED, tmp_path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert downloads == [PUBLISHED.url] and [path.name for path in tmp_path.iterdir()] == ["net.pth"]


def test_no_server_is_one_line_with_how_to_get_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^net\.pth is not on this machine and the server cannot be reached") as error:
        fetch(PUBLISHED, tmp_path)
    assert f"; get {PUBLISHED.url} (1 MB, sha256 {WEIGHTS_SHA256}), put it into " in str(error.value)
    assert "\n" not in str(error.value) and str(error.value).endswith("or give its path")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file: cannot be written"):
        fetch(PUBLISHED, tmp_path / "file")


def test_known_folders_come_before_the_server(downloads: list[str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    checkpoints = tmp_path / "torch/hub/checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "net.pth").write_bytes(WEIGHTS)
    assert find_published(PUBLISHED) == (checkpoints / "net.pth", WEIGHTS_SHA256) and not downloads
    assert find_published(PUBLISHED, str(checkpoints))[0] == checkpoints / "net.pth"
    (checkpoints / "net.pth").unlink()
    assert find_published(PUBLISHED) == (Path("cache/weights/net.pth"), WEIGHTS_SHA256) and downloads == [PUBLISHED.url]


def test_a_named_file_must_be_there_and_be_the_one_unless_any_goes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"weights=.*none\.pth: no such file; get http"):
        find_published(PUBLISHED, str(tmp_path / "none.pth"))
    path = tmp_path / "vgg19.pth"
    path.write_bytes(b"other")
    with pytest.raises(UserError, match=rf"vgg19\.pth: sha256 begins d9298a10, not {WEIGHTS_SHA256[:8]}"):
        find_published(PUBLISHED, str(path))
    assert find_published(PUBLISHED, str(path), any_content=True)[1].startswith("d9298a10") and path.is_file()


@pytest.mark.parametrize("new_format", [True, False])
def test_weights_are_read_in_both_formats_of_torch(tmp_path: Path, new_format: bool) -> None:
    weights = {"a.weight": torch.rand(3, 2)}
    torch.save(weights, tmp_path / "a.pth", _use_new_zipfile_serialization=new_format)
    torch.save({"state_dict": weights, "epoch": 3}, tmp_path / "b.pth", _use_new_zipfile_serialization=new_format)
    for name in ("a.pth", "b.pth"):
        assert torch.equal(read_weights(tmp_path / name)["a.weight"], weights["a.weight"])


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo harm",)


@pytest.mark.parametrize("content", [Harmful(), {"a": 1}, [torch.ones(2)], None, b"\x80\x02no pickle"])
def test_what_holds_no_weights_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str], content: Any) -> None:
    path = tmp_path / "a.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError, match=r"^.*a\.pth: (refused|holds \w+ instead of weights|damaged)"):
        read_weights(path)
    assert "harm" not in capfd.readouterr().out


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.rand(1000)}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes((tmp_path / "a.pth").read_bytes()[:2000])
    with pytest.raises(UserError, match=r"b\.pth: (damaged|refused)"):
        read_weights(tmp_path / "b.pth")
