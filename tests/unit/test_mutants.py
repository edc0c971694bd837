"""The mutants fit the code; `make mutants` runs them."""

import pytest

from tests.mutants import MUTANTS, PROJECT, Mutant, occurrences


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_replaces_is_in_the_code_once_and_its_tests_are_there(mutant: Mutant) -> None:
    assert occurrences(mutant) == 1
    assert mutant.old != mutant.new
    assert all((PROJECT / test).is_file() for test in mutant.tests)


def test_no_two_mutants_are_called_the_same() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
