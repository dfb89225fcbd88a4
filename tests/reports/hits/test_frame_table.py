import base64
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spi_lightning.reports import write_evaluation_report
from spi_lightning.reports.hits.frame_table import MOST_CHARACTERS, frame_table
from spi_lightning.results.answered import Cost
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import HitAnswer
from spi_lightning.results.hit_columns import meaning_of
from spi_lightning.results.hits import DecidedAnswer, HitResult, MethodFacts

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def result(count: int, methods: int = 1) -> HitResult:
    random = np.random.default_rng(0)
    answers = []
    for number in range(methods):
        probability = random.random(count).astype(np.float32)
        answer = HitAnswer(probability, probability, distance_from_training=probability * 3, usual_distance=0.8)
        answers.append(DecidedAnswer.of(f"net_{number}", answer, DecisionRule()))
    columns = {
        "photons": random.integers(0, 3_000_000, count),
        "is_hit": random.random(count) < 0.5,
        "beam_row": np.where(random.random(count) < 0.1, np.nan, random.normal(300, 1, count)),
        **{name: random.random(count) * 99 for name in ("beam_column", "symmetry", "diameter_nm", "sphere_quality")},
    }
    label = {"is_single_hit": random.integers(-1, 2, count), "kind": random.integers(0, 6, count)}
    cost = {answer.name: MethodFacts(Cost(1.0)) for answer in answers}
    return HitResult("a.h5", "HDF5", (count, 8, 8), DecisionRule(), "net_0", answers, None, cost, label, columns)


def unpacked(column: dict) -> np.ndarray:
    """Numbers of a packed column, as the script of the page reads them."""
    stored = np.frombuffer(base64.b64decode(column["data"]), f"<u{column['bytes']}").astype(np.float64)
    values = (column["low"] + stored) / 10 ** column["digits"]
    return np.where(stored == 2 ** (8 * column["bytes"]) - 1, np.nan, values)


def test_every_number_of_every_frame_is_in_the_table() -> None:
    some = result(500)
    table = json.loads(frame_table(some).data)
    columns = {column["name"]: column for column in table["columns"]}
    np.testing.assert_array_equal(unpacked(columns["frame"]), np.arange(500))
    np.testing.assert_allclose(unpacked(columns["probability"]), some.primary.probability, atol=0.0005001)
    np.testing.assert_array_equal(unpacked(columns["photons"]), some.columns["photons"])
    np.testing.assert_allclose(unpacked(columns["beam_row"]), some.columns["beam_row"], atol=0.005001)
    words = [columns["label"]["words"][int(index)] for index in unpacked(columns["label"])]
    assert words == [{1: "single hit", 0: "other", -1: "unknown"}[value] for value in some.labels["is_single_hit"]]
    assert all(column["meaning"] for column in table["columns"])
    groups = {group["name"]: group for group in table["groups"]}
    bits = np.unpackbits(np.frombuffer(base64.b64decode(groups["uncertain"]["bits"]), np.uint8), bitorder="little")
    np.testing.assert_array_equal(bits[:500].astype(bool), some.primary.abstain)
    assert groups["uncertain"]["count"] == some.primary.abstain.sum()


def test_a_column_of_missing_values_stays_missing() -> None:
    some = replace(result(9), columns={"diameter_nm": np.full(9, np.nan)})
    columns = {column["name"]: column for column in json.loads(frame_table(some).data)["columns"]}
    assert np.isnan(unpacked(columns["diameter_nm"])).all()


def test_a_page_of_a_hundred_thousand_frames_stays_below_4_mb(tmp_path) -> None:
    result(100_000, methods=4).save(tmp_path)
    page = write_evaluation_report(tmp_path)
    assert page.stat().st_size < 4e6
    text = page.read_text("utf-8")
    assert "Table of 100,000 frames" in text and "predictions.csv has all frames" in text


def test_a_million_frames_are_cut_to_the_most_probable() -> None:
    table = frame_table(replace(result(1_000_000), columns={}, labels={}))
    assert len(table.data) < 1.1 * MOST_CHARACTERS and "of 1,000,000" in table.caption


def test_every_column_of_the_csv_is_explained() -> None:
    some = result(30, methods=2)
    names = [name for name in some.table() if not meaning_of(name)]
    assert not names and meaning_of("probability:net_1").endswith("net_1")


@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_the_script_sorts_and_filters(tmp_path: Path) -> None:
    some = result(1000)
    some.save(tmp_path)
    text = write_evaluation_report(tmp_path).read_text("utf-8")
    clicks = """<script>
      document.querySelector("details.frames").open = true;
      setTimeout(() => {
        const box = document.querySelector("details.frames");
        const input = box.querySelector("input");
        input.value = "probability > 0.25, label = single hit";
        input.dispatchEvent(new Event("change"));
        box.querySelectorAll("th button")[1].click();
      }, 300);
    </script></body>"""
    (tmp_path / "clicked.html").write_text(text.replace("</body>", clicks), "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"]
    dump = subprocess.run([str(BROWSER), *options, str(tmp_path / "clicked.html")], capture_output=True, timeout=120)
    body = dump.stdout.decode().partition('<details class="frames"')[2].partition("</details>")[0]
    first = body.partition("<tbody>")[2].partition("</tr>")[0].replace("<tr>", "").split("</td><td>")
    use = (some.primary.probability > 0.25) & (some.labels["is_single_hit"] == 1)
    best = int(np.flatnonzero(use)[some.primary.probability[use].argmax()])
    assert f"{(np.round(some.primary.probability, 3)[use] > 0.25).sum()} frames" in body
    assert int(first[0].removeprefix("<td>")) == best and first[3] == "single hit"
