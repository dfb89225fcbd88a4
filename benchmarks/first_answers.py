"""Time of the commands that a user meets first: python -m benchmarks.first_answers [NAME ...] [folder=FOLDER].

The commands run in one folder, each on files that those before it made, without kept answers. Processor seconds are of
one thread a process, start of Python included; they hold on machines that are shared, too. The page "Which method when"
of the documentation shows them.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from benchmarks.record import read_result, write_result

NAME: Final = "first_answers"
CRYSTAL: Final = Path(os.environ.get("SPI_DATA", "../shared/data")).resolve() / "bragg/aps34idc_S0054_128.h5"
HITS: Final = "data.path=hits.cxi"
COMMANDS: Final = {
    "simulate": "simulate patterns=480 path=hits.cxi seed=1",
    "describe": "describe hits.cxi",
    "photon_count": f"evaluate {HITS} method=photon_count",
    "classify": "classify hits.cxi",
    "labelled": f"evaluate {HITS} method=[graph_cut,diffusion_map,random_forest]",
    "demo_tiny_cnn": "train experiment=demo_tiny_cnn tracking=disabled hydra.run.dir=runs/demo",
    "finetune": f"train experiment=finetune checkpoint=runs/demo {HITS} tracking=disabled hydra.run.dir=runs/finetuned",
    "network": f"evaluate {HITS} checkpoint=runs/demo",
    "macromolecules": "simulate simulate=macromolecule patterns=100 path=proteins.cxi simulate.projection.size=64 "
    "simulate.projection.pixel_size=4.66e-10",
    "supports": "evaluate data=supports data.path=proteins.cxi method=[triple_intersection,double_intersection]",
    "phase": "phase data.path=proteins.cxi data.frame=3 support=triple_intersection starts=20",
    "phase_hits": "phase data.path=hits.cxi data.frame=0 starts=20",
    "crystal": f"phase data=one_scan data.path={CRYSTAL} data.preparation.size=64 phasing=wu_iterative support=box "
    "starts=5",
    "crystal_network": f"evaluate data=volumes data.path={CRYSTAL} data.size=32 data.bin=2 "
    "method=untrained_network volumes.starts=1 volumes.masks=1 volumes.halves=0",
}


def measured(words: list[str], folder: Path) -> dict[str, Any]:
    """Processor seconds and largest memory (MB) of one command, processes that it starts included.

    Raises:
        RuntimeError: The command failed.
    """
    with (folder / "console.txt").open("ab") as console:
        command = [sys.executable, "-m", "spi_lightning", *words]
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
        run = subprocess.Popen(command, cwd=folder, env=variables, stdout=console, stderr=console)
        _, status, used = os.wait4(run.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(words)} failed; see {folder}/console.txt")
    return {"seconds": round(used.ru_utime + used.ru_stime, 1), "megabytes": round(used.ru_maxrss / 1024)}


def main(words: list[str]) -> None:
    """Measure the named commands, all if none is named, and write their times."""
    folders = [word.removeprefix("folder=") for word in words if word.startswith("folder=")]
    folder = Path(folders[0] if folders else mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    names = [word for word in words if not word.startswith("folder=")] or list(COMMANDS)
    for name in names:
        line = COMMANDS[name].split()
        extra = ["cache=null"] if line[0] in ("classify", "evaluate") else []
        numbers = measured([*line, *extra], folder)
        kept = {**numbers, "command": COMMANDS[name].replace(str(CRYSTAL), CRYSTAL.name)}
        write_result(NAME, {"commands": {**read_result(NAME).get("commands", {}), name: kept}})
        print(f"{name:<16} {numbers['seconds']:>8.1f} s {numbers['megabytes']:>6} MB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
