"""Photon counts of all patterns as a matrix, dense or sparse, and its products with slices and probabilities."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

_SPARSE_BELOW: Final = {"cpu": 0.15, "cuda": 0.02}  # share of nonzero values below which sparse products are faster

_ROWS: Final = 512  # patterns taken in double precision at once


@dataclass(frozen=True)
class PhotonMatrix:
    """Counts K of N patterns in P pixels, those that determine orientations first.

    Attributes:
        judged: (N, J) counts in the lit pixels that determine orientations, dense or CSR.
        merged: Counts in all pixels that are merged, dense (N, P), or CSR (P, N).
        pixels: Numbers (J,) of the judged pixels among all P; pixels without a photon in any pattern are left out.
        photons: (N,) float64 photons of each pattern in the pixels that determine orientations.
        log_factorials: (N,) float64 sums of log K! over these pixels.
    """

    judged: Tensor
    merged: Tensor
    pixels: Tensor
    photons: Tensor
    log_factorials: Tensor

    def __len__(self) -> int:
        """Number of patterns, N."""
        return len(self.judged)

    def log_products(self, log_slices: Tensor) -> Tensor:
        """Sums over pixels of K log W: (c, J) logarithms of slices -> (N, c)."""
        return self.judged @ log_slices.T.contiguous()

    def weighted_sums(self, probability: Tensor) -> Tensor:
        """Sums over patterns of p K: (N, c) probabilities, most of them 0 in late iterations, -> (c, P)."""
        if self.merged.layout == torch.sparse_csr:
            return (self.merged @ probability.contiguous()).T
        turned = probability.T
        few = float((turned > 0).double().mean()) < _SPARSE_BELOW.get(turned.device.type, 0.0)
        return (_csr(turned) if few else turned) @ self.merged


def photon_matrix(
    counts: Tensor, orienting: int, device: torch.device, dtype: torch.dtype = torch.float32
) -> PhotonMatrix:
    """Counts on a device, sparse where few pixels are lit.

    Args:
        counts: (N, P) whole counts, pixels that determine orientations first.
        orienting: Number of pixels that determine orientations.
        device, dtype: Device and number type of the products.
    """
    inner = counts[:, :orienting]
    lit = inner.any(dim=0).nonzero()[:, 0]
    share = int(counts.count_nonzero()) / counts.numel()
    factorials = [torch.lgamma(rows.double() + 1).sum(dim=1) for rows in torch.split(inner, _ROWS)]
    sparse = share < _SPARSE_BELOW.get(device.type, 0.0)
    judged, merged = inner[:, lit].to(device, dtype), counts.to(device, dtype)
    return PhotonMatrix(
        _csr(judged) if sparse else judged.contiguous(),
        _csr(merged.T) if sparse else merged.contiguous(),
        lit.to(device),
        inner.sum(dim=1, dtype=torch.float64).to(device),
        torch.cat(factorials).to(device),
    )


def _csr(matrix: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return matrix.to_sparse_csr()
