import numpy as np

from spi_lightning.reports.hits.choice import choose_disputed
from spi_lightning.reports.hits.comparison import comparison_blocks
from spi_lightning.reports.page import Lines, Picture, Table

COMPARISON = {
    "methods": ["graph_cut", "run/0"],
    "agreement": [[1.0, 0.7], [0.7, 1.0]],
    "common": 4,
    "common_files": ["selection/common/index.txt"],
    "groups": [{"methods": [0], "frames": 5, "single_hits": 1}, {"methods": [0, 1], "frames": 4, "single_hits": 4}],
    "mcnemar": [{"first": "graph_cut", "second": "run/0", "only_first": 1, "only_second": 6, "p_value": 0.125}],
}


def test_a_comparison_is_words_two_figures_and_a_table_of_tests() -> None:
    blocks = list(comparison_blocks(COMPARISON))
    assert [type(block) for block in blocks] == [Lines, Picture, Picture, Table]
    assert "4 frames" in blocks[0].lines[0]
    assert list(blocks[3].rows[0]) == ["graph_cut", "run/0", "1", "6", "0.125", "0.125"]


def test_an_unlabelled_comparison_without_taken_frames_has_its_blocks() -> None:
    blocks = list(comparison_blocks({**COMPARISON, "groups": [], "mcnemar": []}))
    assert [type(block) for block in blocks] == [Lines, Picture]


def test_disputed_frames_come_most_evenly_split_first() -> None:
    decisions = [
        np.array([1, 1, 1, 0, 0]),
        np.array([1, 1, 0, 0, 0]),
        np.array([1, 0, 0, 0, 1]),
        np.array([1, 0, 0, 0, 1]),
    ]
    probabilities = [d.astype(np.float32) for d in decisions]
    assert choose_disputed(decisions, probabilities).tolist() in ([1, 4, 2], [4, 1, 2])
    assert choose_disputed(decisions, probabilities, count=1).size == 1
