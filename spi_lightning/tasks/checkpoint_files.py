"""Where the checkpoints of a run lie, and the run of a checkpoint."""

from glob import glob
from pathlib import Path

from spi_lightning.errors import UserError
from spi_lightning.locations import WEIGHTS

BEST, LAST = "checkpoints/best.ckpt", "checkpoints/last.ckpt"


def find_checkpoint(path: str | Path, word: str = "checkpoint") -> Path:
    """Checkpoint file of a path: the file itself, the best (else the last) checkpoint of a run folder, shipped weights.

    Args:
        path: Checkpoint file, run folder, or name of weights that the package brings.
        word: Name of the setting, for the error.

    Raises:
        UserError: There is no checkpoint.
    """
    path = Path(path)
    if path.is_dir():
        found = [path / name for name in (BEST, LAST) if (path / name).is_file()]
        if not found:
            jobs = sorted(each.parents[1].name for each in path.glob(f"*/{LAST}"))
            hint = f"; it is a sweep, name one of its runs, such as {path / jobs[0]}" if jobs else ""
            raise UserError(f"{word}={path}: the folder holds neither {BEST} nor {LAST}{hint}")
        return found[0]
    if path.is_file():
        return path
    shipped = WEIGHTS / f"{path}.safetensors"
    if len(path.parts) != 1 or not shipped.is_file():
        raise UserError(f"{word}={path}: no such file, run folder or weights (spi weights lists those)")
    return shipped


def shipped_names() -> list[str]:
    """Names of all weights that the package brings, sorted."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def run_of(path: str | Path) -> Path:
    """Run folder of a path: the folder itself, or the one that holds the checkpoint file."""
    path = Path(path)
    return path.parent.parent if path.is_file() and path.parent.name == "checkpoints" else path


def find_checkpoints(entry: str) -> list[Path]:
    """A path, or a pattern such as ``runs/han_resnet10/*``, -> checkpoint files.

    Raises:
        UserError: There is none; of a pattern, matches that hold no checkpoint are passed over.
    """
    if Path(entry).exists() or not any(sign in entry for sign in "*?["):
        return [find_checkpoint(entry)]
    found = []
    for match in sorted(glob(entry)):  # noqa: PTH207  Path.glob takes no absolute pattern
        try:
            found.append(find_checkpoint(match))
        except UserError:
            continue
    if not found:
        raise UserError(f"checkpoint={entry}: no run folder or checkpoint matches")
    return found


def run_name(checkpoint: Path) -> str:
    """Short name of a checkpoint: the last two folders of its run, or its own name outside a run."""
    path = checkpoint.resolve()
    if path.parent.name != "checkpoints":
        return path.stem
    run, name = path.parent.parent, path.stem
    short = f"{run.parent.name}/{run.name}" if run.parent.name else run.name
    return short if name == "best" else f"{short}/{name}"
