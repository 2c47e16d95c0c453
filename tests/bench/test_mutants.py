from pathlib import Path

import mutants
import pytest
from mutant import Mutant
from mutant_table import MUTANTS

ROOT = Path(__file__).parents[2]


def test_every_mutant_can_be_applied_and_its_tests_are_there():
    assert len(MUTANTS) >= 60
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        assert (ROOT / mutant.file).read_text().count(mutant.old) == 1, mutant
        assert mutant.old != mutant.new
        for test in mutant.tests:
            assert (ROOT / test.partition("::")[0]).exists(), mutant


def test_a_killed_mutant_names_its_test_and_a_survivor_none(tmp_path):
    (tmp_path / "double.py").write_text("def double(value):\n    return 2 * value  # twice\n")
    (tmp_path / "test_double.py").write_text("from double import double\n\ndef test_it():\n    assert double(2) == 4\n")
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n')

    def judge(old, new):
        held = mutants.apply(tmp_path, Mutant("", "double.py", (), old, new))
        killer, _ = mutants.run_tests(tmp_path, ("test_double.py",))
        (tmp_path / "double.py").write_text(held)
        return killer

    assert judge("2 * value", "3 * value") == "test_double.py::test_it"
    assert judge("2 * value", "value + 2") is None
    assert judge("2 * value", "2 *") == "test_double.py"
    with pytest.raises(ValueError, match=r"^double\.py holds 'absent' 0 times, must be once$"):
        mutants.apply(tmp_path, Mutant("", "double.py", (), "absent", ""))
