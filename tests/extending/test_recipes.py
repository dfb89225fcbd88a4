"""Each recipe of CONTRIBUTING.md adds its part from outside the package and uses it, word for word."""

import pytest

from tests.extending.conftest import Lab
from tests.extending.page import recipes

LONGEST = 12  # lines of code of a recipe, without imports, docstrings and blank lines


@pytest.mark.parametrize("name", ["network", "loss"])
def test_a_part_of_ones_own_trains_resumes_finetunes_and_evaluates(lab: Lab, name: str) -> None:
    for words in recipes()[name].commands:
        if any(word.startswith("trust=") for word in words):
            lab.refused(words)
        lab.run(words)
