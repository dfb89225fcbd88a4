"""Closed-form transforms of uniform bodies, F(q) = integral of exp(-2 pi i q.r) over the body.

Scattering vectors q end in an axis of length 3 (z, y, x; 1/m), lengths are m and F is m^3, so that F(0) is the volume.
"""

from collections.abc import Sequence
from math import factorial, pi

import torch
from scipy.spatial import ConvexHull
from torch import Tensor

_CHUNK = 1 << 20  # simplices times scattering vectors treated at once, about 200 MB
_SERIES_BELOW = 1.0  # rad: phases closer than this are averaged by their power series
_SERIES_TERMS = 18  # 0.75^18 / 18! is below the rounding of float64


def sphere_form_factor(q: Tensor, radius: float | Tensor) -> Tensor:
    """Transform a uniform sphere.

    Args:
        q: (..., 3) scattering vectors, 1/m.
        radius: Radius, m; a tensor is broadcast against (...).

    Returns:
        (...) real transform, m^3: 4/3 pi R^3 * 3 (sin x - x cos x) / x^3 with x = 2 pi |q| R.

    Source: Rayleigh (1914); Guinier & Fournet (1955), Sect. 2.1.
    """
    radius = torch.as_tensor(radius, dtype=q.dtype, device=q.device)
    x = 2 * pi * q.norm(dim=-1) * radius
    small = x < 0.1
    wide = torch.where(small, torch.ones_like(x), x)
    closed = 3 * (torch.sin(wide) - wide * torch.cos(wide)) / wide**3
    series = 1 - x**2 / 10 * (1 - x**2 / 28 * (1 - x**2 / 54 * (1 - x**2 / 88)))
    return 4 / 3 * pi * radius**3 * torch.where(small, series, closed)


def ellipsoid_form_factor(q: Tensor, semi_axes: Tensor) -> Tensor:
    """Transform a uniform ellipsoid with axes along z, y, x.

    Args:
        q: (..., 3) scattering vectors in the frame of the body, 1/m.
        semi_axes: (..., 3) or (3,) half lengths along z, y, x, m.

    Returns:
        (...) real transform, m^3: that of the unit sphere at (q_z a_z, q_y a_y, q_x a_x), times a_z a_y a_x.
    """
    return sphere_form_factor(q * semi_axes, 1.0) * semi_axes.prod(dim=-1)


def box_form_factor(q: Tensor, edges: Tensor) -> Tensor:
    """Transform a uniform box with edges along z, y, x.

    Args:
        q: (..., 3) scattering vectors in the frame of the body, 1/m.
        edges: (..., 3) or (3,) full lengths along z, y, x, m.

    Returns:
        (...) real transform, m^3: product over axes of L sin(pi q L) / (pi q L).
    """
    return (edges * torch.sinc(q * edges)).prod(dim=-1)


def hull_faces(vertices: Tensor) -> Tensor:
    """List the triangles that bound the convex hull of some points.

    Args:
        vertices: (V, 3) points, any unit.

    Returns:
        (T, 3) int64 vertex indices, turning so that (b - a) x (c - a) points outwards.
    """
    hull = ConvexHull(vertices.detach().cpu().double().numpy())
    faces = torch.as_tensor(hull.simplices, dtype=torch.int64)
    a, b, c = vertices.detach().cpu().double()[faces].unbind(dim=1)
    outward = torch.as_tensor(hull.equations[:, :3])
    inward = (torch.linalg.cross(b - a, c - a) * outward).sum(-1) < 0
    faces[inward] = faces[inward].flip(-1)
    return faces


def polyhedron_form_factor(
    q: Tensor, vertices: Tensor, faces: Tensor | Sequence[Sequence[int]] | None = None
) -> Tensor:
    """Transform a uniform polyhedron, exactly, at any q: also along faces and edges and at q = 0.

    The body is cut into tetrahedra from the mean of its vertices to the triangles of its surface. The mean of
    exp(-2 pi i q.r) over a simplex is the divided difference of the exponential at the vertex phases
    (Hermite-Genocchi), evaluated without cancellation: this is the face-and-edge sum, free of its poles.

    Args:
        q: (..., 3) scattering vectors, 1/m.
        vertices: (V, 3) corners, ordered as q, m.
        faces: Corner indices of every face, flat and convex, all faces turning the same way seen from outside; the
            surface must be closed but need not be convex. Default: the convex hull.

    Returns:
        (...) complex128 transform, m^3, with rounding errors of about 1e-14 of the volume.

    Source: Wuttke (2021), J. Appl. Cryst. 54, 580, for the face-and-edge sum; de Boor (2005), Surv. Approx. Theory 1,
    46, for divided differences.
    """
    corners = vertices.to(device=q.device, dtype=torch.float64)
    apex = corners.mean(dim=0)
    triangles = (corners - apex)[_triangulate(hull_faces(corners) if faces is None else faces).to(q.device)]
    volumes = torch.linalg.det(triangles) / 6
    volumes = volumes * volumes.sum().sign()  # whichever way round the faces were listed, the volume is positive
    flat = 2 * pi * q.double().reshape(-1, 3)
    parts = torch.split(flat, max(1, _CHUNK // len(triangles)))
    body = torch.cat([_tetrahedra(part, triangles) @ volumes.to(torch.complex128) for part in parts])
    return (body * torch.exp(-1j * (flat @ apex))).reshape(q.shape[:-1])


def _triangulate(faces: Tensor | Sequence[Sequence[int]]) -> Tensor:
    """Cut convex faces into fans of triangles, (T, 3) int64."""
    rows = faces.tolist() if isinstance(faces, Tensor) else faces
    fans = [(face[0], face[i], face[i + 1]) for face in rows for i in range(1, len(face) - 1)]
    return torch.tensor(fans, dtype=torch.int64)


def _tetrahedra(wave_vectors: Tensor, triangles: Tensor) -> Tensor:
    """Mean of exp(-i k.r) over tetrahedra (0, a, b, c): (Q, 3) rad/m and (T, 3 corners, 3) m -> (Q, T)."""
    phases = torch.einsum("qd,tcd->qtc", wave_vectors, triangles)
    phases = torch.cat([torch.zeros_like(phases[..., :1]), phases], dim=-1)
    return simplex_mean(phases.sort(dim=-1).values)


def simplex_mean(phases: Tensor) -> Tensor:
    """Average exp(-i phase) over a simplex on which the phase is linear.

    Args:
        phases: (..., m + 1) float64 phases at the corners, ascending, rad; m >= 1.

    Returns:
        (...) complex128 mean, m! times the divided difference of exp at -i * phases.
    """
    m = phases.shape[-1] - 1
    if m == 1:
        half = (phases[..., 1] - phases[..., 0]) / 2
        return torch.exp(-0.5j * phases.sum(-1)) * torch.sinc(half / pi)
    spread = phases[..., -1] - phases[..., 0]
    close = spread < _SERIES_BELOW
    difference = simplex_mean(phases[..., 1:]) - simplex_mean(phases[..., :-1])
    mean = 1j * m * difference / torch.where(close, torch.ones_like(spread), spread)
    mean[close] = _series(phases[close])
    return mean


def _series(phases: Tensor) -> Tensor:
    """Power series of simplex_mean about the mean phase: sum of (-i)^n m! / (n + m)! h_n, h_n homogeneous."""
    m = phases.shape[-1] - 1
    centre = phases.mean(dim=-1)
    deviations = (phases - centre[..., None]).unbind(dim=-1)
    partial = [torch.ones_like(centre) for _ in deviations]  # h_n of the first 1, 2, ..., m + 1 deviations
    total = torch.ones_like(centre, dtype=torch.complex128)
    for n in range(1, _SERIES_TERMS):
        partial[0] = partial[0] * deviations[0]
        for j in range(1, m + 1):
            partial[j] = partial[j - 1] + deviations[j] * partial[j]
        total = total + (-1j) ** n * factorial(m) / factorial(n + m) * partial[m]
    return total * torch.exp(-1j * centre)
