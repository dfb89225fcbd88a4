"""Finding, fetching and reading published weights; the server is on this machine."""

import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.io import published_weights
from spi_lightning.io.published_weights import PublishedFile, fetch, find_published, read_weights

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
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[PublishedFile]:
    monkeypatch.setattr(published_weights, "_FIRST_WAIT", 0.01)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Server.faults, Server.ranges, Server.resumes = [], [], True
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield PublishedFile("net.pth", f"http://127.0.0.1:{server.server_port}/net.pth", SHA256[:8], 0)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("faults", [[], [503, 429], [100_000, 500, 5_000]])
def test_a_file_comes_whole_through_a_server_in_trouble(published: PublishedFile, tmp_path: Path, faults) -> None:
    Server.faults = list(faults)
    assert fetch(published, tmp_path / "new").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").glob("[!.]*")] == ["net.pth"]
    if faults and faults[0] > 1000:
        assert Server.ranges == [None, "bytes=100000-", "bytes=100000-", "bytes=105000-"]


@pytest.mark.parametrize("resumes", [True, False])
def test_an_interrupted_download_goes_on(published: PublishedFile, tmp_path: Path, resumes: bool) -> None:
    Server.resumes = resumes
    (tmp_path / "net.pth.part").write_bytes(CONTENT[:1234])
    assert fetch(published, tmp_path).read_bytes() == CONTENT
    assert Server.ranges == ["bytes=1234-" if resumes else None]


def test_a_finished_part_only_takes_its_name(published: PublishedFile, tmp_path: Path) -> None:
    (tmp_path / "net.pth.part").write_bytes(CONTENT)
    assert fetch(published, tmp_path).read_bytes() == CONTENT


def test_two_at_once_fetch_once(published: PublishedFile, tmp_path: Path) -> None:
    threads = [threading.Thread(target=fetch, args=(published, tmp_path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Server.ranges) == 1 and (tmp_path / "net.pth").read_bytes() == CONTENT


def test_other_content_is_refused_and_thrown_away(published: PublishedFile, tmp_path: Path) -> None:
    (tmp_path / "net.pth.part").write_bytes(b"something else")
    with pytest.raises(UserError, match=rf"sha256 begins \w+, not {SHA256[:8]}.*get http://127"):
        fetch(published, tmp_path)
    assert not list(tmp_path.glob("net.pth*"))
    assert fetch(published, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("faults", [[404], [503] * 9])
def test_a_server_that_has_it_not_is_one_line(published: PublishedFile, tmp_path: Path, faults: list[int]) -> None:
    Server.faults = list(faults)
    with pytest.raises(
        UserError, match=rf"^net\.pth is not on this machine and the server answers {faults[0]}"
    ) as error:
        fetch(published, tmp_path)
    assert "\n" not in str(error.value) and len(Server.ranges) == (1 if faults == [404] else 4)


def test_no_server_is_one_line_that_says_how_to_get_the_file(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"cannot be reached \(.*\); get http://127.0.0.1:9/a .*sha256 begins ab.*or give its path"
    ):
        fetch(PublishedFile("a", "http://127.0.0.1:9/a", "ab", 1), tmp_path)


def test_a_folder_that_cannot_be_written_is_named(published: PublishedFile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file: cannot be written"):
        fetch(published, tmp_path / "file")


def test_known_folders_come_before_the_server(published: PublishedFile, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    checkpoints = tmp_path / "torch/hub/checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "net.pth").write_bytes(CONTENT)
    assert find_published(published) == (checkpoints / "net.pth", SHA256) and not Server.ranges
    assert find_published(published, str(checkpoints))[0] == checkpoints / "net.pth"
    (checkpoints / "net.pth").unlink()
    assert find_published(published) == (Path("cache/weights/net.pth"), SHA256) and len(Server.ranges) == 1


def test_a_named_file_must_be_there_and_be_the_one_unless_any_goes(published: PublishedFile, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"weights=.*none\.pth: no such file; get http"):
        find_published(published, str(tmp_path / "none.pth"))
    path = tmp_path / "vgg19.pth"
    path.write_bytes(b"other")
    with pytest.raises(UserError, match=rf"vgg19\.pth: sha256 begins d9298a10, not {SHA256[:8]}"):
        find_published(published, str(path))
    assert find_published(published, str(path), any_content=True)[1].startswith("d9298a10") and path.is_file()


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
    with pytest.raises(UserError, match=r"^.*a\.pth: (refused|holds no weights|damaged)"):
        read_weights(path)
    assert "harm" not in capfd.readouterr().out


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.rand(1000)}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes((tmp_path / "a.pth").read_bytes()[:2000])
    with pytest.raises(UserError, match=r"b\.pth: (damaged|refused)"):
        read_weights(tmp_path / "b.pth")
