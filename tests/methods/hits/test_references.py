import shutil

import h5py
import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from spi_lightning.baselines.vectors import AngularVectors
from spi_lightning.errors import UserError
from spi_lightning.methods import Reference
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import TrainingLabels
from tests.hit_runs import answer_of

NAMES = ("k_means", "gaussian_mixture", "spectral", "pca_neighbours", "random_forest")


def reference(estimator, **options) -> Reference:
    return Reference(estimator, AngularVectors(rings=6, brightness=1.0), device="cpu", **options)


def labels_of(*frames: int) -> TrainingLabels:
    frame = np.array(frames)
    return TrainingLabels(frame, frame % 2)


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_in_conf_make_the_method(make_file, request, name) -> None:
    settings = OmegaConf.load(request.config.rootpath / "conf" / "method" / f"{name}.yaml")
    assert settings.pop("_target_") == "spi_lightning.methods.Reference"
    settings.vectors.brightness = 1.0  # all that tells these frames apart
    if name == "random_forest":
        settings.estimator.n_estimators = 20
    method = Reference(**instantiate(settings, _convert_="all"), name=name)
    answer = answer_of(method, make_file(60), labels_of(*range(10)))
    decided = ~answer.abstain
    assert method.needs_labels and answer.name == name and decided.mean() > 0.5
    assert (answer.decision == np.arange(60) % 2)[decided].mean() > 0.9


def test_clusters_that_no_labelled_frame_names_abstain(make_file) -> None:
    listener = Listener()
    method = reference(KMeans(12, n_init=1, random_state=0))
    answer = answer_of(method, make_file(60), labels_of(0, 1), listener=listener)
    assert answer.abstain.any() and (answer.decision[answer.abstain] == 0).all()
    assert list(map(str, listener.notes)) == ["frames of clusters that hold no labelled frame are not decided"]


def test_another_file_teaches_and_this_one_gives_no_labels(make_file, tmp_path) -> None:
    teacher = shutil.copy(make_file(40).path, tmp_path / "teacher.h5")
    with h5py.File(teacher, "a") as file:
        label = np.where(np.arange(40) < 2, -1, file["label"][:])
        del file["label"]
        file["label"] = label
    method = reference(RandomForestClassifier(20, random_state=0), learn_from=teacher)
    assert not method.needs_labels
    answer = answer_of(method, make_file(30, labelled=False, name="b.h5"))
    assert (answer.decision == np.arange(30) % 2).all()


def test_faults_of_the_teaching_file_are_named(make_file) -> None:
    bare = make_file(10, labelled=False, name="b.h5")
    with pytest.raises(UserError, match="no labels for reference to learn from: name them"):
        answer_of(reference(KNeighborsClassifier(1), learn_from=str(bare.path)), make_file(10))
    with pytest.raises(UserError, match="learn_from"):
        reference(KMeans(2), learn_from=str(bare.path))


def test_same_answer_twice_and_another_from_other_frames(make_file) -> None:
    patterns, method = make_file(40), reference(RandomForestClassifier(20, random_state=0))
    one, two, other = (answer_of(method, patterns, labels_of(*each)).score for each in ((0, 1), (0, 1), (2, 3, 4, 5)))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("estimator", "labels", "words"),
    [
        (RandomForestClassifier(2), None, "labelled frames"),
        (RandomForestClassifier(2), labels_of(0, 2), "single hits"),
        (KMeans(2), labels_of(1, 3), "other hits"),
        (KNeighborsClassifier(5), labels_of(0, 1), "KNeighborsClassifier"),
        (KMeans(50), labels_of(0, 1), "KMeans"),
    ],
)
def test_too_little_to_go_by_is_named(make_file, estimator, labels, words) -> None:
    with pytest.raises(UserError, match=words):
        answer_of(reference(estimator), make_file(20), labels)
