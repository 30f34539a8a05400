"""How many labels each step of the loop waits for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evermodel import pace


@pytest.mark.parametrize(
    ("attempts", "pause"),
    [
        pytest.param(1, 0, id="the first attempts follow at once"),
        pytest.param(2, 0, id="all before the last"),
        pytest.param(3, 400, id="after maxAttempts come pauses"),
        pytest.param(4, 800, id="that double"),
        pytest.param(6, 3200, id="each time"),
    ],
)
def test_pauses(attempts: int, pause: int) -> None:
    assert pace.pause_after(attempts, max_attempts=3, min_samples=400) == pause


@given(st.integers(1, 20), st.integers(10, 10_000), st.integers(0, 10**9))
def test_the_number_of_runs_grows_with_the_logarithm_of_the_labels(
    max_attempts: int, min_samples: int, labels: int
) -> None:
    runs, waited = 1, 0
    while (pause := pace.pause_after(runs, max_attempts=max_attempts, min_samples=min_samples)) + waited <= labels:
        runs, waited = runs + 1, waited + pause
    assert runs <= max_attempts + 1 + (labels // min_samples + 1).bit_length()


@pytest.mark.parametrize(
    ("counted", "scored", "records"),
    [
        pytest.param(100, 100, 200, id="all are scored"),
        pytest.param(100, 50, 400, id="every other is"),
        pytest.param(100, 0, 200, id="none could be, so far"),
        pytest.param(199, 198, 224, id="nearly enough: an eighth more at least"),
        pytest.param(3000, 1, 3200, id="never more than are waited for"),
    ],
)
def test_records_for_200_rows(counted: int, scored: int, records: int) -> None:
    assert pace.records_for(200, counted=counted, scored=scored, min_samples=400) == records


@given(st.integers(10, 100_000), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_a_candidate_is_evaluated_a_few_times_at_most(min_samples: int, shares: list[float]) -> None:
    counted, evaluations = pace.labels_to_train(min_samples), 0
    while True:
        scored = int(counted * shares[evaluations % len(shares)])
        evaluations += 1
        if scored >= min_samples or pace.is_futile(counted=counted, scored=scored, min_samples=min_samples):
            break
        counted = pace.records_for(min_samples, counted=counted, scored=scored, min_samples=min_samples)
    assert evaluations <= 40
