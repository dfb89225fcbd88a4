"""Phasing and supports of arrays."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spi_lightning import UserError, find_support, phase, read
from spi_lightning.api.python_words import python_words
from spi_lightning.api.volumes import as_volumes
from spi_lightning.methods import PhotonCount
from spi_lightning.physics.fourier import fourier
from spi_lightning.reconstruction import Measurement
from tests.reconstruction.merged_file import body, write_merged

RECIPE = "60*ER + 4*(40*HIO(0.9) + 20*ER)"


def triangle(size: int = 48) -> torch.Tensor:
    """A right triangle about the origin, without centre of symmetry."""
    density = torch.zeros(size, size)
    for row in range(10):
        density[size // 2 - 5 + row, size // 2 - 5 : size // 2 - 4 + row] = 1.0
    return density


@pytest.fixture(scope="module")
def intensity() -> np.ndarray:
    return (1e3 * fourier(triangle().to(torch.complex64), ndim=2).abs() ** 2).numpy()


def test_an_array_is_phased_to_its_density(intensity: np.ndarray) -> None:
    result = phase(
        intensity,
        beam_centre=(24, 24),
        starts=6,
        recipe=RECIPE,
        support=np.pad(np.ones((12, 12), bool), 18),
        held_out=0.0,
        progress=False,
    )
    truth, found = triangle().numpy(), np.abs(result.density)
    overlap = max(
        np.fft.ifft2(np.fft.fft2(found) * np.conj(np.fft.fft2(each))).real.max() for each in (truth, truth[::-1, ::-1])
    )
    assert overlap > 0.95 * np.linalg.norm(found) * np.linalg.norm(truth)
    assert result.final_error[result.best] < 0.05


def test_torch_and_numpy_give_the_same(intensity: np.ndarray) -> None:
    options = {"beam_centre": (24, 24), "starts": 2, "recipe": "20*ER", "progress": False, "device": "cpu"}
    first, second = phase(intensity, **options), phase(torch.from_numpy(intensity), **options)
    assert np.array_equal(first.density, second.density)
    assert "1 of 2 agree" in repr(first) and "none: too few starts agree for a PRTF" in repr(first)


def test_a_stack_of_frames_is_not_taken_for_a_volume(intensity: np.ndarray) -> None:
    stack = np.stack([intensity] * 9)
    with pytest.raises(UserError, match="give frame=NUMBER"):
        phase(stack)
    assert phase(stack, frame=3, starts=1, recipe="2*ER", progress=False).density.ndim == 2


def test_a_volume_with_its_origin_in_the_middle_is_one() -> None:
    box = torch.zeros(16, 16, 16)
    box[6:10, 6:10, 6:10] = 1
    volume = (1e4 * fourier(box.to(torch.complex64), ndim=3).abs() ** 2).numpy()
    found = phase(volume, starts=1, recipe="2*ER", polish_steps=0, progress=False)
    assert found.density.shape == (16, 16, 16) and np.iscomplexobj(found.density)
    assert any("support=box: the defaults of a 3D pattern" in str(note) for note in found.notes)
    real = phase(volume, starts=1, recipe="2*ER", constraint="positive", support="circle", progress=False)
    assert not np.iscomplexobj(real.density) and not any("defaults of a 3D" in str(note) for note in real.notes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"start": 3}, "start"), ({"number": 3}, "number is unknown"), ({"recipe": "ER ER"}, "recipe")],
)
def test_a_mistake_in_settings_is_one_line(intensity: np.ndarray, settings: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        phase(intensity, **settings)  # type: ignore[arg-type]


def test_a_measurement_is_phased_as_it_is(intensity: np.ndarray) -> None:
    measured = Measurement.from_intensity(intensity)
    assert phase(measured, starts=1, recipe="2*ER", progress=False).density.shape == (48, 48)


def test_a_mask_beside_a_measurement_is_refused(intensity: np.ndarray) -> None:
    measured, mask = Measurement.from_intensity(intensity), np.ones(intensity.shape, dtype=bool)
    with pytest.raises(UserError, match="mask: a measurement has its own"):
        phase(measured, mask)
    with pytest.raises(UserError, match="mask: give it beside an array"):
        as_volumes(measured, mask)


def test_supports_of_one_and_of_many_patterns(intensity: np.ndarray) -> None:
    one = find_support(intensity)
    many = find_support(np.stack([intensity, intensity]), method="autocorrelation_support")
    assert (one.shape, many.shape) == ((48, 48), (2, 48, 48))
    assert 30 < one.sum() < many[0].sum()
    with pytest.raises(UserError, match="hits"):
        find_support(intensity, method="photon_count")


def test_only_methods_of_supports_find_them(intensity: np.ndarray) -> None:
    for method in ("photon_count", PhotonCount()):
        with pytest.raises(UserError, match="method=photon_count answers hits; a method of supports is needed"):
            find_support(intensity, method=method)


def test_numbers_notes_and_figures_are_there_in_a_notebook(intensity: np.ndarray) -> None:
    result = phase(intensity, beam_centre=(24, 24), starts=5, recipe=RECIPE, progress=False)
    assert result.metrics["fourier_error/best"] == pytest.approx(result.final_error[result.best])
    assert 8 < result.metrics["size/shortest_pixels"] <= result.metrics["size/longest_pixels"] < 20
    assert "(longest and shortest width)" in repr(result)
    assert repr(result.notes).count("\n") == len(result.notes) - 1
    assert result.plot()._repr_png_().startswith(b"\x89PNG")


def test_messages_name_arguments_of_python(intensity: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^frame=9: "):
        phase(np.stack([intensity] * 3), frame=9)
    assert (
        python_words("set data.keys.photons= or data.bin=2, preprocess.crop=8")
        == "set photons= or bin=2, load(RUN, crop=8)"
    )
    assert python_words("runs/data.bin and my.data.h5") == "runs/data.bin and my.data.h5"


def test_a_result_names_its_file_and_a_page_is_no_run(intensity: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", intensity.round())
    settings = {"beam_centre": (24, 24), "starts": 1, "recipe": "2*ER", "progress": False}
    assert phase(tmp_path / "a.npy", **settings).facts()["file"] == str(tmp_path / "a.npy")
    assert phase(intensity, **settings).facts()["file"] == "array"
    (tmp_path / "report.html").touch()
    with pytest.raises(UserError, match=f"is a file of a run; name its folder, {tmp_path}$"):
        read(tmp_path / "report.html")


def test_the_path_of_a_merged_intensity_is_phased_as_a_real_density(tmp_path: Path) -> None:
    write_merged(tmp_path / "data" / "output_020.h5", body(), hole=2.5)
    result = phase(tmp_path, starts=2, recipe="20*HIO(0.9) + 5*ER", progress=False)
    assert result.about.constraint == "positive" and result.density.ndim == 3 and result.about.data == str(tmp_path)
