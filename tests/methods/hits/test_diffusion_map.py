import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from spi_lightning.baselines.map_selection import LabelledPoints, MapPoints
from spi_lightning.baselines.vectors import AngularVectors, PixelVectors
from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile
from spi_lightning.methods import ByDistance, DiffusionMap, InBox, InPolygon
from spi_lightning.progress import Listener
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import TrainingLabels
from tests.hit_runs import answer_of


def mapped(**options) -> DiffusionMap:
    return DiffusionMap(**{"vectors": AngularVectors(rings=6, brightness=1.0), "device": "cpu", **options})


def labels_of(*frames: int) -> TrainingLabels:
    frame = np.array(frames)
    return TrainingLabels(frame, frame % 2)  # the labels of make_file


def with_masks(patterns: PatternFile, empty: tuple[int, ...]) -> PatternFile:
    """The same file, some frames of which are wholly masked."""
    read = patterns.frame_masks.read

    def blanked(start: int, stop: int) -> np.ndarray:
        masks = read(start, stop).copy()
        masks[np.isin(np.arange(start, stop), empty)] = False
        return masks

    patterns.frame_masks.read = blanked
    return patterns


def test_a_few_labelled_frames_sort_the_others(make_file) -> None:
    answer = answer_of(mapped(), make_file(60), labels_of(0, 1, 2, 3, 5))
    assert (answer.decision == np.arange(60) % 2).mean() > 0.95
    assert answer.score.dtype == np.float32 and ((answer.score >= 0) & (answer.score <= 1)).all()
    assert answer.features.shape == (60, 3) and np.isfinite(answer.features).all()


def test_single_hits_alone_will_do(make_file) -> None:
    answer = answer_of(mapped(), make_file(60), labels_of(1, 3, 5, 7, 9, 11))
    assert (answer.decision == np.arange(60) % 2).mean() > 0.85


def test_the_settings_in_conf_make_the_method(make_file, request) -> None:
    settings = OmegaConf.load(request.config.rootpath / "conf" / "method" / "diffusion_map.yaml")
    settings.vectors.brightness = 1.0  # all that tells these frames apart
    method = instantiate(settings, _partial_=True, _convert_="all")(name="map")
    answer = answer_of(method, make_file(60), labels_of(0, 1, 2, 3, 5), DecisionRule(0.4))
    assert answer.name == "map" and method.needs_labels and (answer.decision == np.arange(60) % 2).mean() > 0.9


def test_other_labels_do_not_matter_and_answers_repeat(make_file) -> None:
    labelled, bare, labels = make_file(40), make_file(40, labelled=False, name="b.h5"), labels_of(0, 1, 2, 3)
    method = mapped()
    first = answer_of(method, labelled, labels)
    np.testing.assert_array_equal(first.score, answer_of(mapped(), bare, labels).score)
    other = answer_of(method, labelled, labels_of(4, 5, 6, 7))
    np.testing.assert_array_equal(first.features, other.features)  # the map has seen no label
    assert not np.array_equal(first.score, other.score)


def test_a_box_and_a_polygon_need_no_labels(make_file) -> None:
    patterns = make_file(60)
    first = answer_of(mapped(), patterns, labels_of(0, 1, 2, 3)).features[:, 0]
    side = np.sign(np.median(first[1::2]))
    low, high = ([0.0], [None]) if side > 0 else ([None], [0.0])
    corners = [(0, -50), (50 * side, -50), (50 * side, 50), (0, 50)]
    for select in (InBox(low, high), InPolygon(corners)):
        method = mapped(select=select)
        answer = answer_of(method, patterns)
        assert not method.needs_labels
        assert (answer.decision == (first * side > 0)).all()
        assert len(set(answer.score.tolist())) > 10


def test_new_frames_are_located_in_the_map_of_another_file(make_file, tmp_path) -> None:
    make_file(100, name="known.h5")
    method = mapped(learn_from=tmp_path / "known.h5")
    answer = answer_of(method, make_file(11, labelled=False, name="new.h5"))
    assert not method.needs_labels
    assert (answer.decision == np.arange(11) % 2).mean() > 0.9
    make_file(20, labelled=False, name="bare.h5")
    with pytest.raises(UserError, match="no labels"):
        answer_of(mapped(learn_from=tmp_path / "bare.h5"), make_file(11))


@pytest.mark.parametrize(
    ("metric", "vectors"),
    [
        ("correlation", AngularVectors(rings=6, brightness=1.0)),
        ("correlation", PixelVectors(bin=4)),
        ("euclidean", PixelVectors(bin=4)),
        ("masked_correlation", PixelVectors(bin=4, fill="nan")),
    ],
)
def test_frames_without_measured_pixels_abstain(make_file, metric, vectors) -> None:
    patterns = with_masks(make_file(60, masks=2), (4, 5))
    listener = Listener()
    method = mapped(metric=metric, vectors=vectors)
    answer = answer_of(method, patterns, labels_of(0, 1, 2, 3, 7), listener=listener)
    if metric != "euclidean":  # pixels of an empty frame are all 0, which is a place as any other
        assert answer.abstain[[4, 5]].all() and (answer.decision[[4, 5]] == 0).all()
        assert any("2 frames are not decided" in str(note) for note in listener.notes)
    assert np.isfinite(answer.score).all() and np.isfinite(answer.features).all()


def test_parts_without_labelled_single_hits_abstain(make_file) -> None:
    listener, labels = Listener(), labels_of(0, 1, 2, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21)
    answer = answer_of(mapped(neighbours=1), make_file(60), labels, listener=listener)
    undecided = answer.probability == 0.5
    assert undecided.any() and answer.abstain[undecided].all() and (answer.decision[undecided] == 0).all()
    assert "unconnected parts" in str(listener.notes[0])


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        (None, {}, "labelled frames"),
        (labels_of(0, 1, 2), {}, "1 usable single hits to learn from and needs 2"),
        (labels_of(0, 1, 3), {"neighbours": 20}, "neighbours must be from 1 to 19"),
        (labels_of(0, 1, 3), {"tau": -1}, "tau=-1"),
        (None, {"select": InBox([None] * 3 + [0], [None] * 4)}, "raise coordinates"),
    ],
)
def test_too_little_to_go_by_is_named(make_file, labels, options, words) -> None:
    with pytest.raises(UserError, match=words):
        answer_of(mapped(**options), make_file(20), labels)


def points_at(*points: tuple[float, float]) -> MapPoints:
    return MapPoints(np.array(points, dtype=float), np.zeros(len(points), dtype=np.int64))


def test_probability_falls_with_the_distance_to_labelled_single_hits() -> None:
    labelled = LabelledPoints(
        points_at((0, 0), (0.1, 0), (0, 0.1), (3, 0), (0, 4)), np.array([1, 1, 1, 0, 0]), np.array([-1, -1, -1, -1, -1])
    )
    line = points_at(*((x, x) for x in np.linspace(0.2, 5, 40)))
    probability = ByDistance()(line, labelled)
    assert (np.diff(probability) < 0).all()
    assert probability[0] > 0.5 > probability[-1]


def test_a_labelled_frame_is_no_neighbour_of_itself() -> None:
    points = points_at((0, 0), (1, 0), (5, 5), (9, 9))
    labelled = LabelledPoints(points_at((0, 0), (1, 0), (5, 5)), np.array([1, 1, 0]), np.array([0, 1, 2]))
    probability = ByDistance(nearest=1)(points, labelled)
    assert probability[0] == pytest.approx(probability[1])


def test_labelled_others_nearer_than_single_hits_are_not_used_to_calibrate() -> None:
    labelled = LabelledPoints(points_at((0, 0), (9, 0), (0.1, 0), (9.1, 0)), np.array([1, 1, 0, 0]), np.full(4, -1))
    probability = ByDistance(nearest=1)(points_at((0.5, 0), (4, 0)), labelled)
    assert probability[0] > probability[1]


def test_polygon_agrees_with_a_box() -> None:
    random = np.random.default_rng(0)
    points = points_at(*random.uniform(-2, 2, size=(200, 2)))
    box, polygon = InBox([-1, 0], [1, 1]), InPolygon([(-1, 0), (1, 0), (1, 1), (-1, 1)])
    np.testing.assert_array_equal(box(points, None) > 0.5, polygon(points, None) > 0.5)
    notched = InPolygon([(-1, -1), (1, -1), (1, 1), (0, 0), (-1, 1)])
    assert (notched(points_at((0, 0.5), (0.8, 0.5), (0, -0.5)), None) > 0.5).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ByDistance(0), "select.nearest=0"),
        (lambda: InBox([0], [0, 1]), "as many coordinates"),
        (lambda: InBox([None], [None]), "at least one side"),
        (lambda: InBox([1], [0]), "must lie below"),
        (lambda: InPolygon([(0, 0), (1, 1)]), "three or more"),
        (lambda: InPolygon([(0, 0), (1, 1), (2, 0)], axes=(0, 1)), "two coordinates"),
        (lambda: InBox([0], [1], edge=0), "edge=0"),
    ],
)
def test_selections_without_sense_are_named(make, words) -> None:
    with pytest.raises(UserError, match=words):
        make()
