"""spi label from its words to Ctrl-C: the address it prints, the label file, and what the other commands make of it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import h5py
import pytest

from tests.apps.in_process import status
from tests.apps.test_classify import sphere_and_pairs


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("label") / "frames.h5"
    with h5py.File(path, "w") as file:
        file["counts"] = sphere_and_pairs()[0]
    return path


def started(frames: Path, *words: str) -> tuple[subprocess.Popen[str], str]:
    """Process of spi label that serves, and the address of its page."""
    command = [sys.executable, "-m", "spi_lightning", "label", str(frames), "open=false", "cache=null", *words]
    where = {"cwd": frames.parent, "env": os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **where)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("label: http"):
            return process, line.split()[1]
    raise AssertionError(process.communicate()[1])


def ended(process: subprocess.Popen[str]) -> str:
    """What the command prints after Ctrl-C."""
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "error" not in err and "stopped" not in err, err
    return out


def asked(address: str) -> int:
    with urllib.request.urlopen(f"{address}next?page=a") as answer:
        return int(json.load(answer)["frame"])


def labelled(address: str, frame: int, word: str) -> int:
    body = json.dumps({"frame": frame, "label": word, "page": "a"}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{address}label", body)) as answer:
        return int(json.load(answer)["frame"])


def test_twenty_labels_serve_methods_that_learn(frames: Path) -> None:
    truth = sphere_and_pairs()[1]
    process, address = started(frames)
    frame, first = asked(address), []
    for _ in range(20):
        first.append(frame)
        frame = labelled(address, frame, "single" if truth[frame] else "other")
    out = ended(process)
    assert "20 of them new" in out and "data.keys.label=frames.labels.txt takes them" in out
    assert {number % 3 for number in first} >= {1, 2}, "singles and pairs, in turn"
    assert {bool(truth[number]) for number in first[:3]} == {True, False}, "both kinds have labels early"
    process, address = started(frames)
    assert asked(address) == frame, "it goes on where it stopped"
    assert ", 0 of them new" in ended(process)

    words = [f"data.keys.label={frames.parent / 'frames.labels.txt'}", "cache=null", "bootstrap.replicates=20"]
    run = frames.parent / "run"
    assert status("evaluate", str(frames), "method=[graph_cut,random_forest]", *words, f"out={run}") == 0
    numbers = json.loads((run / "metrics.json").read_text())["methods"]
    assert min(each["test/auroc"] for each in numbers.values()) > 0.6


def test_order_of_the_file_and_a_second_look_need_no_network(frames: Path) -> None:
    process, address = started(frames, "order=file", "out=b.txt")
    assert labelled(address, asked(address), "other") == 1
    ended(process)
    process, address = started(frames, "only=[7,0]", "out=b.txt")
    assert labelled(address, asked(address), "single") == 0
    ended(process)
    assert (frames.parent / "b.txt").read_text().splitlines()[9] == "single  # looked at again"


def test_mistakes_are_one_line(frames: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for words, line in (
        (["only=[60]"], "frame numbers are whole, from 0 to 59"),
        (["only=none.txt"], "only=none.txt: there is no such file"),
        (["port=-1"], "port=-1"),
        (["order=best"], "order=best"),
        (["method=graph_cut"], "graph_cut needs a file with a few labels"),
        ([f"out={frames}"], "was not written by spi label"),
    ):
        assert status("label", str(frames), "open=false", "cache=null", *words) == 2
        error = capfd.readouterr().err
        assert line in error and error.count("\n") == 1, error
