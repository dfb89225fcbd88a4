"""Runs that are copied, moved, forked, damaged, or taken up with other batches and lengths."""

import csv
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from spi_lightning.apps.configuration.mistake_lines import one_line
from spi_lightning.apps.train import train
from spi_lightning.errors import UserError
from spi_lightning.tasks import read_checkpoint
from spi_lightning.tasks.checkpoint import require_whole
from spi_lightning.tracking.resumed_run import ResumedRun, last_checkpoint
from tests.apps.configuration.test_resume import equal, from_command, numbers
from tests.apps.small_runs import NARROW, SIMULATED, SMALL, load, small_config

FIRST = ("trainer.max_epochs=2", "callbacks.often.every_n_train_steps=3")
SLOW = [pytest.param(how, marks=pytest.mark.slow) for how in ("moved", "archived", "by_file")]
EVERY_THREE_STEPS = ("trainer.val_check_interval=3", "trainer.check_val_every_n_epoch=null")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs of five steps; never written to."""
    folder = tmp_path_factory.mktemp("original")
    with from_command(folder, *SMALL, *NARROW, *SIMULATED, *FIRST) as cfg:
        train(cfg)
    return folder / "run"


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory, original: Path) -> Path:
    """The same run of three epochs, uninterrupted."""
    folder = tmp_path_factory.mktemp("longer")
    cache = f"data.cache_dir={original.parent / 'cache'}"
    train(small_config(folder, *FIRST, cache, "trainer.max_epochs=3"))
    return folder / "run"


def resume(run: Path, cache: Path, *words: str, folder: Path | None = None) -> Path:
    """Take a run up as the command line does, in its own folder or another."""
    folder = folder or run
    with from_command(folder.parent, f"resume={run}", f"folder={folder}", f"data.cache_dir={cache}", *words) as cfg:
        train(cfg)
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def steps_of(folder: Path, column: str) -> list[int]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file) if row.get(column)]


@pytest.mark.parametrize("how", ["copied", "forked", *SLOW])
def test_a_run_is_taken_up_where_it_lies_and_its_original_stays(tmp_path, original, longer, how) -> None:
    before, copy = contents(original), tmp_path / "elsewhere" / how
    shutil.copytree(original, copy)
    cache = original.parent / "cache"
    if how == "moved":
        copy = copy.rename(copy.with_name("renamed"))
    if how == "archived":
        shutil.make_archive(str(tmp_path / "run"), "gztar", copy)
        shutil.rmtree(copy)
        shutil.unpack_archive(tmp_path / "run.tar.gz", copy)
    if how == "forked":
        own = contents(copy)
        done = resume(copy, cache, "trainer.max_epochs=3", folder=tmp_path / "fork")
        assert contents(copy) == own
    else:
        done = resume(
            copy / "checkpoints/last.ckpt" if how == "by_file" else copy, cache, "trainer.max_epochs=3", folder=copy
        )
    assert contents(original) == before
    for name in ("last", "best"):
        whole, mine = (load(folder / f"checkpoints/{name}.ckpt") for folder in (longer, done))
        for part in ("state_dict", "optimizer_states", "global_step"):
            assert equal(whole[part], mine[part]), (name, part)
    assert numbers(done) == numbers(longer)
    assert (done / "metrics.csv").read_text() == (longer / "metrics.csv").read_text()
    stored = {
        key: state for key, state in load(done / "checkpoints/last.ckpt")["callbacks"].items() if "dirpath" in state
    }
    assert stored
    for state in stored.values():
        assert not any("/" in str(value) for key, value in state.items() if key.endswith(("path", "models")))


def test_the_best_score_goes_on_counting_in_a_copy(tmp_path, original, monkeypatch) -> None:
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    best = (copy / "checkpoints/best.ckpt").read_bytes()
    from pytorch_lightning.callbacks import ModelCheckpoint

    monkeypatch.setattr(ModelCheckpoint, "check_monitor_top_k", lambda *_: False)  # nothing is better
    resume(copy, original.parent / "cache", "trainer.max_epochs=3")
    assert (copy / "checkpoints/best.ckpt").read_bytes() == best


def test_without_its_best_checkpoint_a_run_makes_a_new_one(tmp_path, original) -> None:
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    (copy / "checkpoints/best.ckpt").unlink()
    resume(copy, original.parent / "cache", "trainer.max_epochs=3")
    assert load(copy / "checkpoints/best.ckpt")["global_step"] == 15


def test_a_fork_does_not_write_over_another_run(tmp_path, original) -> None:
    copy = Path(shutil.copytree(original, tmp_path / "run"))
    before = contents(copy)
    with pytest.raises(UserError, match="holds an earlier training"):
        resume(original, original.parent / "cache", "trainer.max_epochs=3", folder=copy)
    assert contents(copy) == before


@pytest.mark.parametrize(
    ("at", "size", "steps", "validated"),
    [
        pytest.param(10, 8, 15, [4, 9, 14], marks=pytest.mark.slow),
        (10, 20, 12, [4, 9, 11]),
        pytest.param(10, 4, 20, [4, 9, 19], marks=pytest.mark.slow),
        pytest.param(10, 40, 11, [4, 9, 10], marks=pytest.mark.slow),
        (8, 16, 11, [4, 7, 8, 10]),  # 24 of 40 patterns were used: one batch of 16, then an epoch of two
        pytest.param(8, 4, 22, [4, 7, 11, 21], marks=pytest.mark.slow),
        pytest.param(8, 12, 12, [4, 7, 8, 11], marks=pytest.mark.slow),
        (8, 40, 10, [4, 7, 8, 9]),  # a last, short batch
    ],
)
def test_other_batch_sizes_keep_the_position_in_patterns(tmp_path, original, at, size, steps, validated) -> None:
    cache = original.parent / "cache"
    if at == 10:
        copy = Path(shutil.copytree(original, tmp_path / "copy"))
    else:
        copy = tmp_path / "copy"
        train(small_config(tmp_path, *FIRST, f"data.cache_dir={cache}", f"trainer.max_steps={at}", name="copy"))
    resume(copy, cache, "trainer.max_epochs=3", f"data.batch_size={size}")
    assert json.loads((copy / "metrics.json").read_text())["train/steps"] == steps
    assert steps_of(copy, "val/loss") == validated


def test_every_pattern_is_used_once_in_an_epoch_whatever_the_batches() -> None:
    from spi_lightning.data.sampler import EpochBatches, shuffled

    def batches(size: int) -> EpochBatches:
        return EpochBatches(lambda epoch: shuffled(40, 0, epoch), 40, size)

    first = list(batches(8))[:3]
    begun = batches(8)
    begun.epoch, begun.position = 0, 3
    for size in (2, 4, 8, 16, 40):
        sampler = batches(size)
        sampler.resume_at(**begun.progress())
        rest = list(sampler)
        assert sampler.position + len(rest) == len(sampler)
        assert sorted(chain(*first, *rest)) == list(range(40))
        again = batches(8)
        again.resume_at(**sampler.progress())
        assert sorted(chain(*first, *again)) == list(range(40))
    begun.position = 5
    for size in (2, 7, 40):
        sampler = batches(size)
        sampler.resume_at(**begun.progress())
        assert list(sampler) == []


@pytest.mark.parametrize(
    ("first", "again", "steps"),
    [
        (("trainer.max_steps=8",), "trainer.max_epochs=3", 15),
        (
            ("trainer.max_steps=8", "trainer.val_check_interval=3", "trainer.check_val_every_n_epoch=null"),
            "trainer.max_epochs=2",
            10,
        ),
        pytest.param(("trainer.max_epochs=1",), "trainer.max_steps=12", 12, marks=pytest.mark.slow),
        pytest.param(("trainer.max_steps=10",), "trainer.max_epochs=4", 20, marks=pytest.mark.slow),
    ],
)
def test_from_steps_to_epochs_and_back(tmp_path, original, first, again, steps) -> None:
    cache = f"data.cache_dir={original.parent / 'cache'}"
    with from_command(tmp_path, *SMALL[:-1], *NARROW, *SIMULATED, *first, cache) as cfg:
        train(cfg)
    resume(tmp_path / "run", original.parent / "cache", again)
    assert json.loads((tmp_path / "run/metrics.json").read_text())["train/steps"] == steps
    assert steps_of(tmp_path / "run", "val/loss")[-1] == steps - 1


@pytest.mark.parametrize("limit", ["3", "0.6"])
def test_a_limit_of_batches_makes_short_epochs_that_are_taken_up(tmp_path, original, limit) -> None:
    cache, few = original.parent / "cache", f"+trainer.limit_train_batches={limit}"
    train(small_config(tmp_path, f"data.cache_dir={cache}", few, name="whole"))
    assert steps_of(tmp_path / "whole", "val/loss") == [2, 5, 8]
    with from_command(tmp_path, *SMALL, *NARROW, *SIMULATED, few, "trainer.max_steps=4") as cfg:
        train(cfg)
    resume(tmp_path / "run", cache, "trainer.max_epochs=3")
    assert steps_of(tmp_path / "run", "val/loss") == [2, 3, 5, 8]
    whole, mine = (load(tmp_path / name / "checkpoints/last.ckpt")["state_dict"] for name in ("whole", "run"))
    assert equal(whole, mine)


@pytest.mark.parametrize("limit", ["0", "0.01"])
def test_a_limit_that_leaves_nothing_is_one_line(tmp_path, original, limit) -> None:
    words = (f"data.cache_dir={original.parent / 'cache'}", f"+trainer.limit_train_batches={limit}")
    with pytest.raises(UserError, match=rf"limit_train_batches={limit} leaves no batch"):
        train(small_config(tmp_path, *words))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("callbacks.best.mode=sideways",), "mode"),
        (("+callbacks.x={_target_: spi_lightning.callbacks.SaveOften, every_n_train_steps: -3}",), "every_n"),
        (("trainer.accelerator=abacus",), "abacus"),
        (("trainer.precision=5",), "precision|Precision"),
        (("tracking=offline", "tracking.wandb.mode=sometimes"), "disabled, offline, online"),
        (("optimizer.lr=nan",), r"optimizer\.lr"),
        (("data.batch_size=0",), r"batch_size"),
        (("data.patterns={train:40,val:0,test:16}",), "validation split is empty"),
        (("tracking=tensorboard", "data.patterns={train:40,val:0,test:16}"), "validation split is empty"),
        (("trainer.val_check_interval=50",), "val_check_interval"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["there", "fork"])
def test_a_refused_command_leaves_every_file_of_a_run_as_it_was(tmp_path, original, words, message, where) -> None:
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    before, folder = contents(copy), copy if where == "there" else tmp_path / "fork"
    with pytest.raises(Exception, match=message) as refused:
        resume(copy, original.parent / "cache", "trainer.max_epochs=3", *words, folder=folder)
    assert one_line(refused.value) is not None
    assert contents(copy) == before
    assert where == "there" or not folder.exists()


def test_a_run_that_has_all_its_steps_says_that_nothing_was_trained(tmp_path, original, capsys) -> None:
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    resume(copy, original.parent / "cache")
    assert "nothing was trained: the run has its 10 steps (trainer.max_epochs=2" in capsys.readouterr().out


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda each: each.file_size)
        weights = archive.read(largest)
    content = bytearray(path.read_bytes())
    content[content.index(weights) + len(weights) // 2] ^= 4
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [cut, pytest.param(empty, marks=pytest.mark.slow), flip])
def test_a_damaged_last_checkpoint_is_followed_by_the_one_before(
    tmp_path, original, longer, caplog, damage: Callable[[Path], None]
) -> None:
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    damage(copy / "checkpoints/last.ckpt")
    with pytest.raises(UserError, match=r"last\.ckpt: .*(damaged|not a checkpoint)"):
        require_whole(copy / "checkpoints/last.ckpt")
    with caplog.at_level("INFO"):
        resume(copy, original.parent / "cache", "trainer.max_epochs=3")
    assert "best.ckpt instead" in caplog.text
    assert numbers(copy) == numbers(longer)


def test_damage_of_every_checkpoint_is_one_line_and_weights_are_checked(tmp_path, original) -> None:
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    flip(copy / "checkpoints/last.ckpt")
    flip(copy / "checkpoints/best.ckpt")
    with pytest.raises(UserError, match=r"last\.ckpt: the checkpoint is damaged, .* has another checksum"):
        last_checkpoint(str(copy))
    with pytest.raises(UserError, match=r"best\.ckpt: the checkpoint is damaged"):
        read_checkpoint(copy)
    assert ResumedRun.of(str(original)) is not None
