"""Reference methods of scikit-learn on vectors of patterns: classifiers and clusters of labelled frames."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from spi_lightning.errors import UserError

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]


def fit_scaling(vectors: Floats, scale: bool = True, components: int = 0) -> Pipeline:
    """Fit the scaling of vectors in front of an estimator, without labels.

    Args:
        vectors: (N, d) finite vectors of the frames.
        scale: Whether to scale every entry to mean 0 and variance 1.
        components: Number of principal components after that, at most min(N, d); 0: the entries themselves.

    Raises:
        UserError: The number of components is negative.
    """
    if components < 0:
        raise UserError(f"components={components} must be 0 (no principal components) or more")
    steps: list[tuple[str, Any]] = [("scale", StandardScaler() if scale else "passthrough")]
    if components:
        steps.append(("components", PCA(min(components, *vectors.shape), random_state=0)))
    return Pipeline(steps).fit(vectors)


def fit_classifier(estimator: Any, vectors: Floats, is_single_hit: Labels) -> Callable[[Floats], Floats]:
    """Train a copy of a scikit-learn classifier: map from vectors (n, d) to the probability of a single hit (n,).

    Args:
        estimator: Classifier with predict_proba, or with decision_function, to which a logistic function is applied.
        vectors: (k, d) vectors of the labelled frames.
        is_single_hit: (k,) labels, 1 or 0, both present.

    Raises:
        UserError: Only one label is present, or the estimator refuses the data, e.g. more neighbours than frames.
    """
    missing = {0, 1} - set(is_single_hit.tolist())
    if missing:
        word = "single hits" if 1 in missing else "other hits"
        raise UserError(f"{_name(estimator)}: no {word} among the {len(is_single_hit)} labelled frames to learn from")
    fitted = clone(estimator)
    _refusals(estimator, lambda: fitted.fit(vectors, is_single_hit))

    def probability(vectors: Floats) -> Floats:
        if hasattr(fitted, "predict_proba"):
            both: Floats = _refusals(estimator, lambda: fitted.predict_proba(vectors))
            return both[:, list(fitted.classes_).index(1)]
        return _logistic(_refusals(estimator, lambda: fitted.decision_function(vectors)))

    return probability


def memberships(estimator: Any, vectors: Floats) -> Floats:
    """Memberships of frames in clusters, without labels: (N, d) -> (N, clusters), rows sum to 1.

    Args:
        estimator: Clusterer of scikit-learn, of which a copy is fitted; mixtures give shares by predict_proba, others
            one cluster for each frame.
        vectors: (N, d) vectors of the frames.

    Raises:
        UserError: The estimator refuses the data, e.g. more clusters than frames.
    """
    fitted = clone(estimator)
    if hasattr(fitted, "predict_proba"):
        soft: Floats = _refusals(estimator, lambda: fitted.fit(vectors).predict_proba(vectors))
        return soft
    cluster = np.unique(_refusals(estimator, lambda: fitted.fit_predict(vectors)), return_inverse=True)[1]
    hard: Floats = np.eye(cluster.max() + 1)[cluster]
    return hard


def name_clusters(membership: Floats, known: Labels, is_single_hit: Labels) -> tuple[Floats, NDArray[np.bool_]]:
    """Probability of a single hit from clusters, named by frames of known label.

    A cluster with a of A known single hits and b of B known others holds single hits with probability
    a' / (a' + b'), a' = (a + 1/2) / A and b' = (b + 1/2) / B; frames take the mean over their shares.

    Args:
        membership: (N, clusters) shares of each cluster in each frame.
        known: (k,) int64 index of the frames of known label.
        is_single_hit: (k,) labels of these frames, 1 or 0.

    Returns:
        Probability of a single hit (N,), and the mask (N,) where it is defined: half or more of the frame belongs to
        clusters with a known frame.
    """
    count = np.stack([membership[known[is_single_hit == label]].sum(axis=0) for label in (0, 1)])
    total = np.array([(is_single_hit == label).sum() for label in (0, 1)]).clip(1)[:, None]
    share = (count + 0.5) / total
    probability: Floats = membership @ (share[1] / share.sum(axis=0))
    named = np.zeros(membership.shape[1], dtype=bool)
    named[membership[known].argmax(axis=1)] = True
    return probability, membership[:, named].sum(axis=1) >= 0.5


def is_clusterer(estimator: Any) -> bool:
    """Whether an estimator needs no labels, as clusterers and mixtures.

    Raises:
        UserError: It is neither a clusterer nor a classifier.
    """
    if is_classifier(estimator):
        return False
    if hasattr(estimator, "fit_predict"):
        return True
    raise UserError(f"estimator={_name(estimator)} is neither a classifier nor a clusterer of scikit-learn")


def _refusals(estimator: Any, call: Callable[[], Any]) -> Any:
    """Call scikit-learn, with its errors as one-line UserErrors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct frames than clusters
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        try:
            return call()
        except ValueError as error:
            raise UserError(f"{_name(estimator)}: {str(error).splitlines()[0]}") from error


def _logistic(margin: Floats) -> Floats:
    value: Floats = 1 / (1 + np.exp(-margin))
    return value


def _name(estimator: Any) -> str:
    return type(estimator).__name__
