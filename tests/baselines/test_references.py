import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from spi_lightning.baselines.references import (
    fit_classifier,
    fit_scaling,
    is_clusterer,
    memberships,
    name_clusters,
)
from spi_lightning.errors import UserError


def two_clouds(frames: int = 60) -> tuple[np.ndarray, np.ndarray]:
    label = np.arange(frames) % 2
    return np.random.default_rng(0).normal(0, 0.3, (frames, 4)) + 2 * label[:, None], label


def test_scaling_takes_no_more_components_than_there_are() -> None:
    vectors = two_clouds()[0] * [1, 10, 100, 1000]
    scaled = fit_scaling(vectors).transform(vectors)
    np.testing.assert_allclose(scaled.std(axis=0), 1)
    assert fit_scaling(vectors, components=20).transform(vectors).shape == (60, 4)
    np.testing.assert_allclose(fit_scaling(vectors, scale=False).transform(vectors), vectors)
    with pytest.raises(UserError, match="components"):
        fit_scaling(vectors, components=-1)


@pytest.mark.parametrize(
    "estimator", [RandomForestClassifier(20, random_state=0), KNeighborsClassifier(3), LinearSVC(random_state=0)]
)
def test_classifiers_learn_from_few_frames(estimator) -> None:
    vectors, label = two_clouds()
    probability = fit_classifier(estimator, vectors[:10], label[:10])(vectors)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert ((probability > 0.5) == label).all()
    assert not hasattr(estimator, "classes_")  # a copy was fitted


def test_labels_of_one_kind_and_too_few_frames_are_named() -> None:
    vectors, label = two_clouds()
    with pytest.raises(UserError, match="no single hits among the 2"):
        fit_classifier(KNeighborsClassifier(1), vectors[:2], np.zeros(2, dtype=np.int64))
    with pytest.raises(UserError, match=r"KNeighborsClassifier.*n_neighbors"):
        fit_classifier(KNeighborsClassifier(5), vectors[:4], label[:4])(vectors)


@pytest.mark.parametrize("estimator", [KMeans(2, n_init=2, random_state=0), GaussianMixture(2, random_state=0)])
def test_clusters_are_found_without_labels_and_named_by_few(estimator) -> None:
    vectors, label = two_clouds()
    share = memberships(estimator, vectors)
    np.testing.assert_allclose(share.sum(axis=1), 1)
    probability, defined = name_clusters(share, np.arange(4), label[:4])
    assert defined.all() and ((probability > 0.5) == label).all()


def test_a_cluster_that_nobody_names_is_not_defined() -> None:
    membership = np.eye(3)[[0, 0, 1, 1, 2]]
    probability, defined = name_clusters(membership, np.array([0, 2]), np.array([1, 0]))
    assert defined.tolist() == [True] * 4 + [False]
    np.testing.assert_allclose(probability, [0.75, 0.75, 0.25, 0.25, 0.5])


def test_naming_does_not_depend_on_how_many_of_each_are_known() -> None:
    membership = np.ones((101, 1))
    label = np.array([1] * 100 + [0])
    assert name_clusters(membership, np.arange(101), label)[0][0] == pytest.approx(1.005 / (1.005 + 1.5))


def test_more_clusters_than_frames_is_named_and_duplicates_are_no_fault() -> None:
    with pytest.raises(UserError, match="KMeans"):
        memberships(KMeans(8, n_init=1), np.zeros((4, 2)))
    assert memberships(KMeans(3, n_init=1), np.zeros((9, 2))).shape == (9, 1)


def test_what_is_neither_classifier_nor_clusterer_is_refused() -> None:
    assert is_clusterer(KMeans()) and is_clusterer(GaussianMixture()) and not is_clusterer(KNeighborsClassifier())
    with pytest.raises(UserError, match="PCA"):
        is_clusterer(PCA())
