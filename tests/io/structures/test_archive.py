"""Fetching structures from a local server that fails in every way servers do."""

import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from spi_lightning.data import StructureSource
from spi_lightning.errors import UserError
from spi_lightning.io.structures.archive import CHECKSUMS, Archive, fetch_structures

ATOM = "ATOM      1  CA  ALA A   1      11.104   6.134  -6.504  1.00  0.00           C\nEND\n"
requested: Counter[str] = Counter()


class Server(BaseHTTPRequestHandler):
    """1aaa: fine. 2bus: busy twice. 3cut: shorter than announced, once. 4bad: damaged. 5pag: a page. Else: 404."""

    def do_GET(self) -> None:
        name = self.path.strip("/").split(".")[0]
        requested[name] += 1
        body, code, length = gzip.compress(ATOM.encode()), 200, None
        if name == "2bus" and requested[name] < 3:
            code = 503
        elif name == "3cut" and requested[name] < 2:
            body, length = body[:20], len(body)
        elif name == "4bad":
            body = body[:-12]
        elif name == "5pag":
            body = gzip.compress(b"<html>sorry</html>")
        elif name not in ("1aaa", "2bus", "3cut"):
            code = 404
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    requested.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Archive(f"http://127.0.0.1:{server.server_port}/{{id}}.pdb.gz", ".pdb.gz", attempts=3, timeout=5)
    server.shutdown()
    server.server_close()


def test_files_are_fetched_once_and_again_when_changed(archive: Archive, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("1AAA, 2bus  # busy\n3cut\n1aaa\n")
    paths = fetch_structures(str(ids), tmp_path / "pdb", archive)
    assert [path.name for path in paths] == ["1aaa.pdb.gz", "2bus.pdb.gz", "3cut.pdb.gz"]
    assert requested == {"1aaa": 1, "2bus": 3, "3cut": 2}
    assert set(json.loads((tmp_path / "pdb" / CHECKSUMS).read_text())) == {"1aaa", "2bus", "3cut"}
    fetch_structures(str(ids), tmp_path / "pdb", archive)
    assert requested == {"1aaa": 1, "2bus": 3, "3cut": 2}
    paths[0].write_bytes(b"damaged")
    fetch_structures(str(ids), tmp_path / "pdb", archive)
    assert requested["1aaa"] == 2 and gzip.decompress(paths[0].read_bytes()).decode() == ATOM


def test_what_cannot_be_had_is_named_and_the_rest_is_kept(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        fetch_structures(["1aaa", "4bad", "5pag", "6non"], tmp_path, archive)
    line = str(caught.value)
    assert (
        line.startswith("3 of 4 structures could not be fetched: 4bad (")
        and "6non (the server answers 404 Not Found)" in line
    )
    assert "not a structure file" in line and requested["6non"] == 1 and requested["4bad"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {"1aaa.pdb.gz", CHECKSUMS}


def test_a_server_that_is_not_there_and_a_name_that_is_no_id(tmp_path: Path) -> None:
    nowhere = Archive("http://127.0.0.1:9/{id}.pdb.gz", ".pdb.gz", attempts=2, timeout=1)
    with pytest.raises(UserError, match=r"1 of 1 structures could not be fetched: 1aaa \("):
        fetch_structures(["1aaa"], tmp_path, nowhere)
    with pytest.raises(UserError, match="not a structure id"):
        fetch_structures(["../etc/passwd"], tmp_path, nowhere)


def test_a_collection_fetches_its_ids(archive: Archive, tmp_path: Path) -> None:
    source = StructureSource(str(tmp_path), ids=("1aaa",), archive=archive)
    assert source.names == ["1aaa"] and len(source[0]) == 1
    with pytest.raises(UserError, match=r"structures\.ids="):
        len(StructureSource(str(tmp_path), archive=archive))
