import numpy as np

from spi_lightning.notes import Note
from spi_lightning.reports.short_names import renamed, short_names
from spi_lightning.results.hits import Selected

RUNS = [f"han_resnet10/2026-11-30_12-00-0{seed}_seed{seed}" for seed in range(4)]


def test_default_names_of_runs_become_short_and_stay_apart() -> None:
    assert list(short_names(RUNS).values()) == [f"han_resnet10/seed{seed}" for seed in range(4)]
    assert short_names(RUNS[:1])[RUNS[0]] == "han_resnet10/seed0"
    assert short_names(["runs/2026-11-30_12-00-00_han_resnet10", "graph_cut"])["graph_cut"] == "graph_cut"
    same = ["a/2026-11-30_12-00-00_seed0", "a/2026-12-01_12-00-00_seed0", "ensemble"]
    assert list(short_names(same).values()) == ["a/seed0", "a/seed0 (2)", "ensemble"]
    assert list(short_names(["x/net", "y/net", "demo/tiny_cnn"]).values()) == ["x/net", "y/net", "demo/tiny_cnn"]


def test_long_names_are_cut_and_no_name_is_empty() -> None:
    long = ["a" * 40 + "1", "a" * 40 + "2", "2026-11-30_12-00-00", "2026-11-30_12-00-01"]
    short = short_names(long)
    assert len(set(short.values())) == 4 and all(0 < len(name) <= 28 for name in short.values())


def test_names_change_where_they_stand_alone_and_in_notes_but_in_no_path() -> None:
    names = {RUNS[0]: "seed0"}
    note = Note.of(f"{RUNS[0]} is in /tmp/{RUNS[0]}/checkpoints", RUNS[0])
    assert renamed(note, names) == Note.of(f"seed0 is in /tmp/{RUNS[0]}/checkpoints", "seed0")
    nested = {"methods": {RUNS[0]: {"test/accuracy": 1.0}}, "names": [RUNS[0], "b"]}
    assert renamed(nested, names) == {"methods": {"seed0": {"test/accuracy": 1.0}}, "names": ["seed0", "b"]}
    chosen = renamed(Selected(np.arange(3), [RUNS[0]]), names)
    assert chosen.files == ["seed0"] and chosen.frame.tolist() == [0, 1, 2]
