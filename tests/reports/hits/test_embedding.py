import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.reports.hits.embedding import embed, embedding_figure


def clusters(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    label = np.arange(count) % 2
    return (random.normal(size=(count, 6)) + 8 * label[:, None]).astype(np.float32), label


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_two_clusters_lie_apart(method) -> None:
    features, label = clusters(60)
    index, places, names = embed(features, method)
    between = np.linalg.norm(places[label == 1].mean(0) - places[label == 0].mean(0))
    assert places.shape == (60, 2) and len(index) == 60 and len(names) == 2
    assert between > 2 * places[label == 1].std()


@pytest.mark.parametrize("shape", [(2, 1), (3, 5), (4, 1)])
@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_few_frames_and_one_feature_are_drawn_too(shape, method) -> None:
    features = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    assert embed(features, method)[1].shape == (shape[0], 2)


def test_features_that_never_vary_are_no_fault() -> None:
    assert np.isfinite(embed(np.ones((9, 3), np.float32))[1]).all()


def test_without_labels_the_colour_is_the_probability() -> None:
    probability = np.linspace(0, 1, 20, dtype=np.float32)
    (marks,) = embedding_figure(clusters(20)[0], probability, None).axes[0].collections
    np.testing.assert_array_equal(marks.get_array(), probability)


@pytest.mark.parametrize(("decided", "ringed"), [(True, "decided wrongly (3)"), (False, "")])
def test_frames_decided_wrongly_are_ringed(decided: bool, ringed: str) -> None:
    """Decisions count, not probabilities: an undecided frame has 1/2 and is not taken."""
    features, label = clusters(60)
    decision, probability = label.copy(), np.full(60, 0.5, np.float32)
    decision[:3] = 1 - decision[:3]
    label[5] = -1
    axes = embedding_figure(features, probability, label, "tsne", decision if decided else None).axes[0]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [name for name in names if "wrongly" in name] == [ringed] * bool(ringed) and "unknown (1)" in names


def test_an_unknown_embedding_is_a_user_error() -> None:
    with pytest.raises(UserError, match="pca, tsne"):
        embed(np.ones((9, 3), np.float32), "umap")
