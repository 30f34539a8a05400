"""scikit-learn is imported while the source is read, and nothing goes on importing afterwards."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from evermodel_runtime.train import importing_ahead as module
from evermodel_runtime.train.importing_ahead import NEEDED, importing_ahead

SLOW = "made_slow_to_import"


@pytest.fixture(autouse=True)
def slow_to_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{SLOW}.py").write_text("from threading import Event\nEvent().wait(0.2)\nDONE = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "NEEDED", (SLOW,))
    monkeypatch.delitem(sys.modules, SLOW, raising=False)


def is_imported() -> bool:
    return hasattr(sys.modules.get(SLOW), "DONE")


def test_the_import_goes_on_beside_the_reading_and_has_ended_after_it() -> None:
    with importing_ahead("hub://big.csv"):
        assert not is_imported()

    assert is_imported()


def test_an_error_of_the_reading_is_passed_on_once_the_import_has_ended() -> None:
    with pytest.raises(ValueError, match="broken"), importing_ahead("hub://big.csv"):
        raise ValueError("broken")

    assert is_imported()


def test_a_source_that_scikit_learn_makes_is_read_alone() -> None:
    with importing_ahead("sklearn://digits"):
        pass

    assert not is_imported()


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_imported_is_there(name: str) -> None:
    assert find_spec(name) is not None
