from torch import Tensor

from spi_lightning.physics.rotations.orientations import equivalents, rotation_angle


def angular_distance(left: Tensor, right: Tensor, symmetry: str = "none", friedel: bool = False) -> Tensor:
    """Smallest angle between two orientations and their equivalents, (N, 4) each -> (N,); rad."""
    return rotation_angle(left[:, None], equivalents(right, symmetry, friedel)).amin(dim=1)
