"""NeXus classes and signals of groups of an HDF5 file."""

from __future__ import annotations

import h5py

from spi_lightning.io.units import text

from .links import get_object


def nx_class(group: h5py.Group | h5py.Dataset) -> str:
    """NeXus class of a group; empty if it states none."""
    return text(group.attrs["NX_class"]) if "NX_class" in group.attrs else ""


def signal_names(group: h5py.Group) -> list[str]:
    """Names of the signal of an NXdata group: by its attribute, or as in older files by that of the data set."""
    if "signal" in group.attrs and group.attrs["signal"] is not None:
        return [text(group.attrs["signal"])]
    if nx_class(group) != "NXdata":
        return []
    items = [(name, get_object(group, name)) for name in group]
    return [
        name for name, item in items if isinstance(item, h5py.Dataset) and text(item.attrs.get("signal", "")) == "1"
    ]
