from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.reports import write_evaluation_report, write_report
from tests.reports.again import require_same_page

LABEL = np.r_[np.tile([0, 1], 19), -1, -1]


class Page(HTMLParser):
    """What a browser would load and show of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.tags: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        known = dict(attributes)
        self.sources += [known[name] or "" for name in ("src",) if name in known]
        self.links += [known["href"] or ""] if "href" in known else []
        self.anchors |= {known["id"] or ""} if "id" in known else set()

    def handle_data(self, data: str) -> None:
        self.words += data


def read(path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def labelled(make_evaluation) -> Path:
    return write_evaluation_report(make_evaluation(label=LABEL))


def test_a_page_needs_no_other_file_and_no_network(labelled) -> None:
    page = read(labelled)
    assert page.sources and all(source.startswith("data:image/") for source in page.sources)
    assert all(link.startswith("#") and link[1:] in page.anchors for link in page.links)
    assert {"Answer", "Errors", "Decision", "frames", "Notes", "Provenance"} <= set(page.words.split())
    assert page.tags.count("script") == 2 and page.tags.count("link") == 0  # the table of frames, and its data


def test_a_page_answers_first(labelled) -> None:
    """Input file, two sentences, selected frames; then uncertain ones, then errors, and everything else."""
    words = read(labelled).words
    assert "data.h5: 40 patterns of 16 × 20 pixels" in words[: words.index("Provenance")]
    order = ["3 of 40 frames are selected", "90 % (95 % interval 80 to 100 %)"]
    order += ["Selected frames, surest first", "Uncertain frames, nearest", "accuracy ↑"]
    order += ["ROC curve", "Table of 40 frames", "calibrated probability of a single hit"]
    body = words[words.index("Provenance") :]  # behind the contents
    places = [body.index(text) for text in order]
    assert places == sorted(places)


def test_all_figures_of_a_labelled_file_are_there(labelled) -> None:
    words = read(labelled).words
    for title in (
        *("ROC curve", "Precision and recall", "Reliability", "Confusion", "Probabilities", "Features", "Size"),
        *("Selected frames", "Frames not taken", "Uncertain frames", "contaminant", "0.900 [0.800, 1.000]", "2.13"),
    ):
        assert title in words, title
    assert "without frames 0, 1" in words
    assert "2 unknown" in words


def test_words_from_files_are_escaped(labelled) -> None:
    text = labelled.read_text(encoding="utf-8")
    assert text.count("<script") == 2 and "<script>alert" not in text
    assert text.count("&lt;script&gt;") >= 3


def test_an_unlabelled_file_has_galleries_and_no_metrics(make_evaluation) -> None:
    words = read(write_evaluation_report(make_evaluation())).words
    assert "no metrics" in words and "how many of these are right is not known" in words
    assert words.index("Selected frames") < words.index("Uncertain frames, nearest") < words.index("Frames not taken")
    assert "ROC" not in words and "Confusion" not in words


def test_labels_of_one_class_leave_the_curves_out(make_evaluation) -> None:
    words = read(write_evaluation_report(make_evaluation(label=np.ones(40, dtype=np.int64)))).words
    assert "of one class" in words and "Precision and recall" not in words and "Confusion" in words


def test_methods_stand_side_by_side_with_their_spread(make_evaluation) -> None:
    words = read(write_evaluation_report(make_evaluation(label=LABEL, methods=3))).words
    for title in ("seed_0", "seed_1", "seed_2", "ensemble", "0.900 ± 0.010", "The same without frames 0, 1"):
        assert title in words, title


def test_the_smallest_file_and_no_features_still_make_a_page(make_evaluation) -> None:
    assert "Features" not in read(write_evaluation_report(make_evaluation(count=1, features=0))).words


def test_a_page_made_again_is_the_same_but_for_its_date(labelled) -> None:
    require_same_page(labelled.parent)
    assert not list(labelled.parent.glob(".*part"))


def test_folders_without_a_run_are_refused(make_evaluation, tmp_path) -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        write_report(tmp_path / "nothing")
    with pytest.raises(UserError, match="holds no result"):
        write_report(tmp_path)
    run = make_evaluation()
    (run / "predictions.h5").write_bytes(b"cut short")
    with pytest.raises(UserError, match=r"predictions\.h5: .*damaged"):
        write_report(run)
    with pytest.raises(UserError, match="embedding=umap"):
        write_report(run, "umap")
