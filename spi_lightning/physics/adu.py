"""From detector units (ADU) to photons: pedestal, common mode, gain from the single-photon peak."""

from torch import Tensor


def adu_to_photons(adu: Tensor, adu_per_photon: float | Tensor, threshold: float = 0.5) -> Tensor:
    """Convert detector units to whole photons.

    Args:
        adu: (...) pedestal-corrected values, ADU, finite.
        adu_per_photon: Gain, ADU per photon, > 0; broadcasts against adu.
        threshold: Fraction of a photon from which a value counts as one more photon; 0.5 rounds.

    Returns:
        (...) photons, whole numbers >= 0, dtype of adu: floor(adu / gain + 1 - threshold), negative noise becomes 0.
    """
    return (adu / adu_per_photon + (1 - threshold)).floor().clamp_min(0)
