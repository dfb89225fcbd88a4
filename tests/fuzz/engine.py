"""Run a reader on damaged files in forked children with limits of time and memory, and sort what came of it."""

import os
import resource
import signal
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from spi_lightning.errors import UserError
from spi_lightning.printable import printable
from tests.fuzz.mutations import mutate

SECONDS = 20
MEMORY = 3 << 30  # bytes beside what the parent holds
PACKAGE = "spi_lightning/"


@dataclass
class Seed:
    """A sound file and how it is read.

    Attributes:
        name: Of the reader and kind of file.
        path: The file that is damaged; what lies beside it stays sound.
        read: Reads all of it.
        text: Whether lines and words are damaged.
    """

    name: str
    path: Path
    read: Callable[[Path], object]
    text: bool = False


@dataclass
class Outcome:
    """Counts of what came of the damaged forms of one seed, and an example of each fault: mutation number, words."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)


def fuzz(seed: Seed, numbers: range) -> Outcome:
    """Damage a seed in as many ways as there are numbers."""
    outcome, waiting = Outcome(), list(numbers)
    sound = seed.path.read_bytes()
    try:
        while waiting:
            done, status = _in_child(seed, sound, waiting)
            for number, word, what in done:
                outcome.counts[word] += 1
                if word not in ("read", "refused"):
                    outcome.faults.setdefault(what.splitlines()[0], (number, what))
            waiting = waiting[len(done) :]
            if waiting:  # the child died of this one
                word = "hang" if status == signal.SIGALRM else "crash"
                outcome.counts[word] += 1
                outcome.faults.setdefault(f"{word}, signal {status}", (waiting[0], ""))
                waiting = waiting[1:]
    finally:
        seed.path.write_bytes(sound)
    return outcome


def _in_child(seed: Seed, sound: bytes, numbers: list[int]) -> tuple[list[tuple[int, str, str]], int]:
    """Outcomes of the numbers that one child survived, and the signal that ended it (0: none)."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        try:
            _limit()
            with os.fdopen(send, "wb", buffering=0) as out:
                for number in numbers:
                    signal.alarm(SECONDS)
                    _replace(seed.path, mutate(sound, number, seed.text))
                    word, what = _outcome(seed)
                    out.write(f"{number}\x1f{word}\x1f{what}\x1e".encode("utf-8", "backslashreplace"))
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as results:
        records = results.read().decode("utf-8", "replace").split("\x1e")[:-1]
    _, status = os.waitpid(child, 0)
    parts = [record.split("\x1f") for record in records]
    return [(int(number), word, what) for number, word, what in parts], os.WTERMSIG(status) if status else 0


def _limit() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)


def _replace(path: Path, content: bytes) -> None:
    """A new file under the old name, as readers may know the old one by its inode."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def _outcome(seed: Seed) -> tuple[str, str]:
    """A word for what a reader made of the file, and the fault in a line and its traceback."""
    try:
        seed.read(seed.path)
    except UserError as error:
        line = str(error)
        if len(line.splitlines()) != 1:
            return "forged", f"more than one line: {line!r}"
        named = any(word in line for word in (printable(seed.path.parent), "data.", "give ", "frames"))
        return ("refused", line) if named else ("nameless", f"names neither file nor option: {line}")
    except MemoryError as error:
        return "traceback", _signature(error)
    except Exception as error:
        return "traceback", _signature(error)
    return "read", ""


def _signature(error: Exception) -> str:
    """Type and lines of ours and of the library: the same fault has the same first line."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if PACKAGE in frame.filename]
    last = ours[-1] if ours else frames[-1]
    where = f"{last.filename.rpartition(PACKAGE)[2]}:{last.lineno} {last.name}"
    deepest = frames[-1]
    return (
        f"{type(error).__name__} in {where} ({Path(deepest.filename).name}:{deepest.name})\n"
        + "".join(traceback.format_exception(error))[-3000:]
    )
