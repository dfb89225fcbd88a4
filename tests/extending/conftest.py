"""A user's folder outside the repository, with the files of CONTRIBUTING.md, in which commands run."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.apps.small_runs import NARROW, SIMULATED, SMALL
from tests.cases.commands import Commands, Outcome
from tests.extending.page import write_files

REPORT = ("report.occlusion=0", "report.gallery=4", "bootstrap.replicates=10", "frame_columns=0", "cache=null")


@dataclass(frozen=True)
class Lab:
    """The folder of a user whose package is ``mylab``.

    Attributes:
        folder: Where the commands run; holds mylab/ and frames.cxi, 32 labelled patterns of 32 x 32 pixels.
        commands: What runs them.
    """

    folder: Path
    commands: Commands

    def run(self, words: Sequence[str], status: int = 0) -> Outcome:
        """Run a command made small; its exit status must be ``status``."""
        outcome = self.commands.run([*words, *small(words)], self.folder, self.folder / "out", 180.0)
        assert outcome.status == status, outcome.console
        return outcome

    def refused(self, words: Sequence[str], package: str = "mylab") -> None:
        """Run a command without its word of trust: one line that names the word, and nothing was imported."""
        (self.folder / "imported").unlink(missing_ok=True)
        line = self.run([word for word in words if word != f"trust={package}"], status=2).last
        assert re.search(rf"refused, its configuration calls {package}\.\S+, .* add trust={package}$", line), line
        assert not (self.folder / "imported").exists()


def small(words: Sequence[str]) -> list[str]:
    """Words that make a command of the page a matter of seconds."""
    configured = {word.partition("=")[0] for word in words}
    if words[0] == "evaluate":
        return [word for word in REPORT if word.partition("=")[0] not in configured]
    if words[0] == "simulate":
        return ["simulate.shape=[32,32]", "simulate.block_size=16", "examples=0"]
    if words[0] != "train" or "experiment=wu_transfer" in words:
        return []
    if "resume" in configured:
        return ["trainer.max_epochs=2"]
    own = [*SMALL[1:], "trainer.max_epochs=1", "data.batch_size=16"]
    if "checkpoint" in configured or "data" in configured:
        return own
    network = () if "network" in configured else NARROW
    return [*own, "preprocess.bin=1", "data.cache_dir=cache", *SIMULATED, *network]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One folder for all recipes, with a file of patterns."""
    folder = tmp_path_factory.mktemp("lab")
    write_files(folder)
    (folder / "mylab/__init__.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    with Commands(folder) as commands:
        made = Lab(folder, commands)
        made.run(["simulate", "patterns=32", "path=frames.cxi"])
        yield made
