"""Readers and writers of file formats: patterns, rocking scans, volumes, structures and Dragonfly files.

Patterns are read by `open_patterns`, whatever their format, and written by `CxiWriter`, `write_selection` and
`write_emc`.
"""

from spi_lightning.io.dragonfly.detector import Detector, make_detector, read_detector, write_detector
from spi_lightning.io.dragonfly.emc import write_emc
from spi_lightning.io.masks.mask_file import load_mask
from spi_lightning.io.patterns.cxi import write_selection
from spi_lightning.io.patterns.cxi_writer import CxiWriter
from spi_lightning.io.patterns.intensities import Intensities, read_intensities
from spi_lightning.io.patterns.npy import ArrayFrames, FlatFrames
from spi_lightning.io.patterns.open_patterns import FORMATS, open_patterns
from spi_lightning.io.patterns.pattern_file import PatternFile, PatternKeys
from spi_lightning.io.scans.bragg_scan import BraggScan, ScanKeys, open_scan
from spi_lightning.io.volumes.mrc import read_mrc, write_mrc
from spi_lightning.io.volumes.npz import write_npz
from spi_lightning.io.volumes.vti import read_vti, write_vti

__all__ = [
    "FORMATS",
    "ArrayFrames",
    "BraggScan",
    "CxiWriter",
    "Detector",
    "FlatFrames",
    "Intensities",
    "PatternFile",
    "PatternKeys",
    "ScanKeys",
    "load_mask",
    "make_detector",
    "open_patterns",
    "open_scan",
    "read_detector",
    "read_intensities",
    "read_mrc",
    "read_vti",
    "write_detector",
    "write_emc",
    "write_mrc",
    "write_npz",
    "write_selection",
    "write_vti",
]
