import json

from spi_lightning.notes import Level, Note, NoteWarning, by_level, note_lines

NOTES = [Note.of("8 frames"), Note.hint("bin more", "data"), Note.warning("no photons", "a.h5"), Note.of("8 frames")]


def test_a_line_names_level_and_subject() -> None:
    assert [str(note) for note in NOTES] == [
        "8 frames",
        "HINT: data: bin more",
        "WARNING: a.h5: no photons",
        "8 frames",
    ]
    assert str(NoteWarning(NOTES[1])) == "HINT: data: bin more" and NoteWarning(NOTES[1]).note is NOTES[1]


def test_what_matters_most_comes_first_and_once() -> None:
    assert [note.level for note in by_level(NOTES)] == [Level.WARNING, Level.HINT, Level.NOTE]
    assert note_lines(NOTES, Level.HINT) == ["WARNING: a.h5: no photons", "HINT: data: bin more"]
    same = [Note.of("b"), Note.of("a"), Note.of("c")]
    assert by_level(same) == same


def test_another_subject_goes_in_front() -> None:
    assert NOTES[2].about("a.h5") is NOTES[2]
    assert str(NOTES[2].about("scan")) == "WARNING: scan: a.h5: no photons"
    assert str(NOTES[0].about("scan")) == "scan: 8 frames"


def test_plain_words_are_read_back() -> None:
    assert [Note.read(json.loads(json.dumps(note.plain))) for note in NOTES] == NOTES
