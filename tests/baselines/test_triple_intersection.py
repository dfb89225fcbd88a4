import math

import pytest
import torch
from torch import Tensor

from spi_lightning.baselines.triple_intersection import double_intersection, triple_intersection
from spi_lightning.errors import UserError
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.support import autocorrelation_support


def intensity(density: Tensor, ndim: int = 2) -> Tensor:
    return fourier(density, ndim).abs().square()


def region_of(density: Tensor, ndim: int = 2) -> tuple[Tensor, Tensor]:
    return autocorrelation_support(intensity(density, ndim), threshold=1e-5, photons=False, ndim=ndim)


def missed(truth: Tensor, found: Tensor, ndim: int = 2) -> list[int]:
    """True pixels that no shift of the answer, or of its twin, contains."""
    axes = tuple(range(-ndim, 0))

    def spectrum(image: Tensor) -> Tensor:
        transformed: Tensor = torch.fft.fftn(image.double(), dim=axes)
        return transformed

    overlaps = [
        torch.fft.ifftn(spectrum(found) * spectrum(each).conj(), dim=axes).real.amax(axes)
        for each in (truth, truth.flip(axes))
    ]
    return (truth.sum(axes) - torch.maximum(*overlaps).round()).int().tolist()


def plane(size: int = 64) -> tuple[Tensor, Tensor]:
    y, x = torch.meshgrid(torch.arange(size) - size // 2, torch.arange(size) - size // 2, indexing="ij")
    return y.double(), x.double()


def polygons() -> dict[str, Tensor]:
    y, x = plane()
    turned_y, turned_x = x * math.sin(0.3) + y * math.cos(0.3), x * math.cos(0.3) - y * math.sin(0.3)
    return {
        "right triangle": (y >= -8) & (x >= -8) & (x + y <= 2),
        "narrow triangle": (y <= 8) & (y >= 2 * x.abs() - 8),
        "turned triangle": (turned_y >= -6) & (turned_y <= 12 - 2 * turned_x.abs()),
        "rectangle": (y.abs() <= 5) & (x.abs() <= 9),
        "L": ((y.abs() <= 9) & (x >= -9) & (x <= -4)) | ((y >= 4) & (y <= 9) & (x.abs() <= 9)),
    }


def round_bodies() -> dict[str, Tensor]:
    y, x = plane()
    sides = [x, 0.5 * x + 0.866 * y, 0.5 * x - 0.866 * y]
    return {"hexagon": torch.stack([s.abs() <= 10.4 for s in sides]).all(0), "disc": x**2 + y**2 <= 104}


def blobs(count: int, flat: bool, size: int = 64) -> Tensor:
    """Sums of 3 to 7 Gaussians, cut at a tenth of their maximum."""
    y, x = plane(size)
    densities = []
    for seed in range(count):
        generator = torch.Generator().manual_seed(seed)
        number = int(torch.randint(3, 8, (1,), generator=generator))
        places, widths = (
            torch.randn(number, 2, generator=generator) * 3,
            torch.rand(number, generator=generator) * 3 + 1.5,
        )
        each = [
            torch.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * w**2)) for p, w in zip(places, widths, strict=True)
        ]
        total = torch.stack(each).sum(0)
        inside = total > 0.1 * total.max()
        densities.append(inside.double() if flat else torch.where(inside, total / total.max(), 0))
    return torch.stack(densities)


@pytest.mark.parametrize("choice", ["smallest", "tested"])
def test_triangles_rectangle_and_l_are_found_exactly(choice: str) -> None:
    truth = torch.stack([*polygons().values()])
    found = triple_intersection(*region_of(truth.double()), choice)
    assert found.sum((1, 2)).tolist() == truth.sum((1, 2)).tolist()
    assert missed(truth, found) == [0] * len(truth)


@pytest.mark.parametrize("choice", ["guaranteed", "tested"])
def test_hexagon_and_disc_are_contained(choice: str) -> None:
    truth = torch.stack([*round_bodies().values()])
    found = triple_intersection(*region_of(truth.double()), choice)
    assert missed(truth, found) == [0, 0]
    assert (found.sum((1, 2)) / truth.sum((1, 2))).max() < 1.5  # the looseness of a disc, which nothing can avoid


def test_smallest_intersection_cuts_hexagon_and_disc() -> None:
    truth = torch.stack([*round_bodies().values()])
    assert min(missed(truth, triple_intersection(*region_of(truth.double()), "smallest"))) > 10


@pytest.mark.parametrize("flat", [True, False])
def test_fifty_random_shapes_are_contained(flat: bool) -> None:
    density = blobs(50, flat)
    truth = density > 0
    region, values = region_of(density)
    double, triple = double_intersection(region), triple_intersection(region, values, "tested")
    assert missed(truth, double) == [0] * 50
    assert missed(truth, triple) == [0] * 50
    looseness = [float((found.sum((1, 2)) / truth.sum((1, 2))).mean()) for found in (region, double, triple)]
    print(f"mean area over true area: autocorrelation, double, triple = {looseness}")
    assert looseness[0] > 3.8
    assert looseness[2] < looseness[1] < 1.55


def test_double_intersection_is_centrosymmetric_and_centred() -> None:
    density = blobs(8, flat=True)
    found = double_intersection(region_of(density)[0])
    turned = found.flip((1, 2))
    assert missed(turned, found) == [0] * 8
    y, x = plane()
    assert (found * y).sum((1, 2)).abs().max() <= 0.5 * found.sum((1, 2)).max()
    assert (found * x).sum((1, 2)).abs().max() <= 0.5 * found.sum((1, 2)).max()


def test_batches_and_single_patterns_agree() -> None:
    region, values = region_of(blobs(3, flat=False))
    together = triple_intersection(region, values)
    for number in range(3):
        one = slice(number, number + 1)
        assert torch.equal(together[one], triple_intersection(region[one], values[one]))


def test_tetrahedron_box_and_ball_in_three_dimensions() -> None:
    z, y, x = torch.meshgrid(*(torch.arange(24) - 12 for _ in range(3)), indexing="ij")
    tetrahedron = (z >= -3) & (y >= -3) & (x >= -3) & (z + y + x <= -2)
    box = (z.abs() <= 2) & (y.abs() <= 3) & (x.abs() <= 4)
    ball = z**2 + y**2 + x**2 <= 17
    truth = torch.stack([tetrahedron, box, ball])
    region, values = region_of(truth.double(), ndim=3)
    for choice in ("guaranteed", "tested"):
        found = triple_intersection(region, values, choice, directions=48, ndim=3)
        assert missed(truth, found, ndim=3) == [0, 0, 0]
        assert (found.sum((1, 2, 3)) < region.sum((1, 2, 3)) / 3).all()
    double = double_intersection(region, directions=48, ndim=3)
    assert missed(truth, double, ndim=3) == [0, 0, 0]
    assert torch.equal(double[1], found[1])
    assert int(double[1].sum()) == int(box.sum())


def test_a_single_pixel_is_its_own_support() -> None:
    density = torch.zeros(2, 16, 16)
    density[0, 8, 8] = density[1, 8, 7:10] = 1.0
    for choice in ("smallest", "tested", "guaranteed"):
        assert triple_intersection(*region_of(density), choice).sum((1, 2)).tolist() == [1, 3]


def test_empty_batch() -> None:
    empty = torch.zeros(0, 8, 8, dtype=torch.bool)
    assert triple_intersection(empty, empty.float()).shape == (0, 8, 8)


def test_unknown_choice_and_missing_values_are_refused() -> None:
    region = torch.ones(1, 8, 8, dtype=torch.bool)
    with pytest.raises(UserError, match="choose one of smallest"):
        triple_intersection(region, choice="best")
    with pytest.raises(UserError, match="needs the autocorrelation"):
        triple_intersection(region)
