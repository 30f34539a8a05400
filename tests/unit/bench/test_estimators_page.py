"""docs/estimators.md is of the libraries that are installed, and of all their estimators; nothing is measured here."""

import re
from importlib.metadata import version

import pytest
from bench.estimators import PAGE, stale

TEXT = PAGE.read_text()


def test_the_page_is_not_stale() -> None:
    assert stale(TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param("| `SVC` |", "| `SVD` |", "SVC is missing", id="an estimator is missing"),
        pytest.param("| `SVC` |", "| `SVD` |", "SVD is no estimator", id="an estimator is gone"),
        pytest.param(
            f"scikit-learn {version('scikit-learn')}",
            "scikit-learn 1.0",
            f"scikit-learn {version('scikit-learn')} is installed",
            id="measured with another version",
        ),
    ],
)
def test_a_page_that_is_stale_is_noticed(old: str, new: str, problem: str) -> None:
    assert problem in stale(TEXT.replace(old, new))


def test_the_counts_are_those_of_the_tables_and_nothing_crashed() -> None:
    served = re.findall(r"^\| `\w+` \| (\w+) \|", TEXT, flags=re.MULTILINE)
    counted = re.findall(r"^\d+: (\d+) ONNX", TEXT, flags=re.MULTILINE)

    assert served.count("ONNX") == sum(map(int, counted))
    assert "crashed" not in served
