"""A program of Dragonfly's name that finds orientations at random."""

import stat
import sys
from pathlib import Path

from spi_lightning.orientation.dragonfly import PROGRAM

STAND_IN = """#!{python}
import configparser, sys
from pathlib import Path
import h5py, numpy as np
iterations = int(sys.argv[-1])
config = configparser.ConfigParser(); config.read(sys.argv[sys.argv.index("-c") + 1])
emc = config["emc"]
patterns = int(np.fromfile(emc["in_photons_file"], "<i4", 1)[0])
with h5py.File(emc["start_model_file"]) as file: guess = file["intens"][()]
with h5py.File(emc["in_detector_file"]) as file: q = np.sqrt(sum(file[name][()] ** 2 for name in ("qx", "qy", "qz")))
assert guess.shape == (1, *[int(2 * np.ceil(q.max()) + 3)] * 3) and (guess > 0).all()
print("threads", *sys.argv[1:])
{trouble}
draw = np.random.default_rng(0)
quaternions = draw.normal(size=(500, 5)); quaternions[:, :4] /= np.linalg.norm(quaternions[:, :4], axis=1)[:, None]
quaternions[:, 4] = 1 / 500
Path("data").mkdir()
for number in range(iterations + 1):
    with h5py.File(f"data/output_{{number:03d}}.h5", "w") as file:
        file["intens"] = guess
        if number == 0: continue
        best = draw.integers(500, size=patterns)
        file["orientations"] = best.astype("i4"); file["quaternions"] = quaternions
        file["scale"] = draw.uniform(0.5, 2, patterns)
        for name, kind, value in (("place", "i4", best), ("prob", "f8", np.ones(patterns))):
            rows = file.create_dataset("probabilities/" + name, (patterns,), h5py.vlen_dtype(np.dtype(kind)))
            for i in range(patterns): rows[i] = np.array([value[i]], kind)
    with open("EMC.log", "a") as log: log.write(f"{{number}}\\t1.0\\t1e-1\\t{{number}}.5\\t-2e3\\t500\\t0.1\\n")
"""


def stand_in(folder: Path, trouble: str = "") -> Path:
    """A program of Dragonfly's name that finds orientations at random."""
    path = folder / "bin" / PROGRAM
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STAND_IN.format(python=sys.executable, trouble=trouble))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
