"""Map of frames by the penultimate features of a network."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.reports.style import INK, figure

from .columns import scatter_by_label

EMBEDDINGS = ("pca", "tsne")
_MOST_FRAMES = {"pca": 20_000, "tsne": 2_000}


def embed(
    features: NDArray[np.float32], method: str = "pca", seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float64], list[str]]:
    """Positions of frames in a plane by their features.

    Args:
        features: (N, d), scaled here to zero mean and unit variance per feature.
        method: ``pca`` or ``tsne`` (after PCA to 50 components; perplexity 30, or a third of the frames if fewer).
        seed: Seed of the choice of frames, where there are too many to draw, and of t-SNE.

    Returns:
        Indices (n,) of the frames drawn, their positions (n, 2) and the names of the two axes.

    Raises:
        UserError: Unknown method.

    Source: van der Maaten & Hinton (2008) for t-SNE.
    """
    from sklearn.decomposition import PCA  # slow to import, and not every page needs it
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    require_embedding(method)
    index = np.arange(len(features))
    if len(index) > _MOST_FRAMES[method]:
        index = np.sort(np.random.default_rng(seed).choice(index, _MOST_FRAMES[method], replace=False))
    scaled = StandardScaler().fit_transform(features[index].astype(np.float64))
    components = min(2 if method == "pca" else 50, *scaled.shape)
    pca = PCA(components, random_state=seed)
    with np.errstate(invalid="ignore"):  # features that never vary explain nothing
        places = pca.fit_transform(scaled)
    if method == "pca" or len(index) < 5:
        share = [*(100 * np.nan_to_num(pca.explained_variance_ratio_)), 0.0][:2]
        places = np.pad(places[:, :2], ((0, 0), (0, max(0, 2 - places.shape[1]))))
        return (
            index,
            places,
            [f"principal component {i + 1} ({part:.0f} % of variance)" for i, part in enumerate(share)],
        )
    perplexity = min(30.0, len(index) / 3)
    places = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(places)
    return index, places.astype(np.float64), ["t-SNE 1", "t-SNE 2"]


def require_embedding(method: str) -> None:
    """Raise UserError unless the method is one of EMBEDDINGS."""
    if method not in EMBEDDINGS:
        raise UserError(f"embedding={method} is unknown: choose one of {', '.join(EMBEDDINGS)}")


def embedding_figure(
    features: NDArray[np.float32],
    probability: NDArray[np.float32],
    label: NDArray[np.int64] | None,
    method: str = "pca",
    decision: NDArray[np.int64] | None = None,
) -> Figure:
    """Frames by features; colour is the label, or the probability where there are no labels.

    Args:
        features: (N, d) of the frames.
        probability: (N,) that a frame is a single hit.
        label: (N,) 1 single hit, 0 other, -1 unknown; None: there are no labels.
        method: Embedding, ``pca`` or ``tsne``.
        decision: (N,) 1 where a frame is taken as a single hit: frames decided wrongly are ringed; None: no rings.

    Source: Han & Li (2017), Fig. 14.
    """
    index, places, names = embed(features, method)
    size = float(np.clip(4000 / len(index), 4, 40))
    with figure() as picture:
        axes = picture.subplots()
        if label is None or not (label >= 0).any():
            drawn = axes.scatter(
                places[:, 0], places[:, 1], c=probability[index], s=size, cmap="viridis", vmin=0, vmax=1, linewidths=0
            )
            picture.colorbar(drawn, ax=axes, label="probability of a single hit")
        else:
            scatter_by_label(axes, places[:, 0], places[:, 1], label[index], size)
            single = (label if decision is None else decision)[index] == 1
            if (wrong := (label[index] >= 0) & (single != (label[index] == 1))).any():
                x, y = places[wrong].T
                title = f"decided wrongly ({wrong.sum()})"
                axes.scatter(x, y, s=3 * size, facecolors="none", edgecolors=INK, linewidths=0.7, label=title)
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
        axes.set(xlabel=names[0], ylabel=names[1])
    return picture
