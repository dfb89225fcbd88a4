"""One line for a mistake, whatever error it arrives in."""

import errno

from spi_lightning.errors import UserError
from spi_lightning.mistakes import causes_of, mistake_of


def raised(outer: Exception, inner: Exception) -> Exception:
    """An error that another one has caused."""
    try:
        try:
            raise inner
        except Exception as error:
            raise outer from error
    except Exception as error:
        return error


def test_a_mistake_inside_other_errors_is_found() -> None:
    error = raised(RuntimeError("outer"), UserError("data.path=x: there is no such file"))
    assert [type(each) for each in causes_of(error)] == [RuntimeError, UserError]
    assert mistake_of(error) == "data.path=x: there is no such file"
    assert mistake_of(RuntimeError("a fault of the package")) is None


def test_a_full_disk_is_a_mistake_and_a_missing_input_only_where_it_is_an_output() -> None:
    assert "the disk is full" in str(mistake_of(raised(RuntimeError(), OSError(errno.ENOSPC, "No space", "run/a.h5"))))
    refused = OSError(errno.EACCES, "Permission denied", "run/a.h5")
    assert mistake_of(refused) is None
    assert "run/a.h5: cannot be written" in str(mistake_of(refused, is_output=lambda name: name == "run/a.h5"))


def test_causes_that_form_a_circle_end() -> None:
    first, second = ValueError(), TypeError()
    first.__cause__, second.__cause__ = second, first
    assert causes_of(first) == [first, second]
