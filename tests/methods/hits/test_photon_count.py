import numpy as np

from spi_lightning.methods import PhotonCount
from tests.hit_runs import answer_of


def test_brighter_frames_are_likelier_hits(make_file) -> None:
    patterns = make_file(20)
    answer = answer_of(PhotonCount(), patterns)
    photons = patterns.read(np.arange(20)).sum(axis=(1, 2))
    np.testing.assert_array_equal(np.argsort(answer.score, kind="stable"), np.argsort(photons, kind="stable"))
    assert ((answer.probability > 0) & (answer.probability < 1)).all()
    assert answer.abstain.sum() <= 4  # ranks are spread evenly, whatever the brightness, and 0.4 to 0.6 abstains
    np.testing.assert_allclose(np.sort(answer.probability), (np.arange(20) + 0.5) / 20, atol=0.03)  # two are equal


def test_photon_count_alone_ranks_the_real_patterns_as_published_beside_them(spi_data) -> None:
    from spi_lightning.evaluation.hits.scoring import Scoring
    from spi_lightning.io import open_patterns

    patterns = open_patterns(spi_data / "spi" / "pr772_dev.h5", mask_convention="bad")
    numbers = Scoring(patterns.labels["is_single_hit"], replicates=50)(answer_of(PhotonCount(), patterns))
    assert round(numbers["test/auroc"], 2) == 0.66
