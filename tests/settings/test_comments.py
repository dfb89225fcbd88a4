"""Settings of a YAML file keep the comments that stand above and behind them."""

from pathlib import Path

from spi_lightning.settings.comments import Setting, read_choice, with_comments

TEXT = """# @package data
# What it is. More of it,
# in a second line.
#
# Examples:
#   spi train data=part
defaults: [base, _self_]

distance: 0.5  # m
# above the mapping
size:  # behind it
  crop: null
  list:
    - 1
    - 2  # of the item
name: "a # b"  # quoted
"""


def test_comments_stand_with_their_settings(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(TEXT)
    read = read_choice(tmp_path / "part.yaml")
    assert read.about == "What it is. More of it, in a second line."
    assert read.first_sentence == "What it is" and read.examples == ("spi train data=part",)
    assert read.settings[1:] == (
        Setting("distance", "0.5", "m"),
        Setting("size", "", "above the mapping; behind it"),
        Setting("size.crop", "null", ""),
        Setting("size.list", "[1, 2]", ""),
        Setting("name", '"a # b"', "quoted"),
    )
    assert read.value("distance") == "0.5" and read.value("nothing") == ""


def test_a_file_without_settings(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# Nothing.\n")
    assert read_choice(tmp_path / "empty.yaml").settings == ()


def test_comments_stand_behind_their_keys_or_above() -> None:
    text = "a:\n  b: 1\n  c: 2\nd: 3\n"
    long = " ".join(["word"] * 30)
    assert with_comments(text, {"a": "x", "a.c": "y", "d": long}).startswith(
        "a:  # x\n  b: 1\n  c: 2  # y\n# word word"
    )
    assert with_comments(text, {}) == text
