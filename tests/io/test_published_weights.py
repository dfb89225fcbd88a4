"""Finding and reading published weights; what would be downloaded is made here."""

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.io.published_weights import PublishedFile, fetch, find_published, read_weights

CONTENT = os.urandom(3000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PUBLISHED = PublishedFile("net.pth", "http://127.0.0.1:9/net.pth", SHA256, 1)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that were downloaded from, by a download that takes a moment."""
    made: list[str] = []

    def download(url: str, path: Path, sha256: str) -> None:
        if not path.exists():
            made.append(url)
            time.sleep(0.1)
            path.write_bytes(CONTENT)

    monkeypatch.setattr("spi_lightning.io.published_weights.download", download)
    return made


def test_two_at_once_fetch_once(downloads: list[str], tmp_path: Path) -> None:
    threads = [threading.Thread(target=fetch, args=(PUBLISHED, tmp_path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert downloads == [PUBLISHED.url] and [path.name for path in tmp_path.iterdir()] == ["net.pth"]


def test_no_server_is_one_line_with_how_to_get_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^net\.pth is not on this machine and the server cannot be reached") as error:
        fetch(PUBLISHED, tmp_path)
    assert f"; get {PUBLISHED.url} (1 MB, sha256 {SHA256}), put it into " in str(error.value)
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
    (checkpoints / "net.pth").write_bytes(CONTENT)
    assert find_published(PUBLISHED) == (checkpoints / "net.pth", SHA256) and not downloads
    assert find_published(PUBLISHED, str(checkpoints))[0] == checkpoints / "net.pth"
    (checkpoints / "net.pth").unlink()
    assert find_published(PUBLISHED) == (Path("cache/weights/net.pth"), SHA256) and downloads == [PUBLISHED.url]


def test_a_named_file_must_be_there_and_be_the_one_unless_any_goes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"weights=.*none\.pth: no such file; get http"):
        find_published(PUBLISHED, str(tmp_path / "none.pth"))
    path = tmp_path / "vgg19.pth"
    path.write_bytes(b"other")
    with pytest.raises(UserError, match=rf"vgg19\.pth: sha256 begins d9298a10, not {SHA256[:8]}"):
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
