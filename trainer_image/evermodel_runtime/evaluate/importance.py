"""Permutation importance: how much worse the candidate answers when the values of one column are shuffled."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np

from evermodel.contract import Measure, Message
from evermodel_runtime.artifacts.manifests import StoredModel
from evermodel_runtime.data.failure import JobError, listed
from evermodel_runtime.data.rows import FeatureRows, Mask
from evermodel_runtime.evaluate.comparison import DIGITS, Comparison, HeldOut, answers_of

MOST_ROWS = 2_000
"""Rows that are shuffled and scored; of more, so many are drawn."""
MOST_FEATURES = 50
"""Features, the first of the schema, that are shuffled."""
REPEATS = 5
BUDGET_SECONDS = 5.0
"""No shuffle of a set begins later than this; one that has begun is finished."""
SEED = 0


class FeatureImportance(Message, frozen=True, kw_only=True):
    """How much the metric got worse without what one column tells."""

    column: str
    mean: float
    """Of the repeats, in the metric's own unit; positive: the column helps, whichever way the metric points."""
    deviation: float
    """Standard deviation of the repeats."""


class Importance(Message, frozen=True, kw_only=True):
    """Permutation importance of the candidate's features on one held-out set."""

    metric: str
    baseline: float | None
    """The metric on these rows as they are; None where it has no value on them, and nothing was shuffled then."""
    rows: int
    of_rows: int
    """Rows of the set, of which ``rows`` were drawn."""
    repeats: int
    seed: int
    beyond: int
    """Features that were not looked at because they come late in the schema."""
    features: tuple[FeatureImportance, ...] = ()
    """In the order of the schema."""
    unanswered: tuple[str, ...] = ()
    """Features with shuffled values that the model does not answer, or on whose answers the metric has no value."""
    out_of_time: tuple[str, ...] = ()
    """Features that the time did not suffice for."""


def permutation_importance(
    candidate: StoredModel, compared: Comparison, measure: Measure, seconds: Callable[[], float]
) -> Importance:
    """Shuffle one column after the other among the same rows.

    Each column's shuffles have a seed of their own: what is left out changes no other column's figures.

    Parameters
    ----------
    seconds : callable
        Tells the time; it decides only where to stop.
    """
    rows = compared.rows.only(_drawn(len(compared.rows)))
    columns = rows.candidate.columns
    asked = _Asked(candidate, rows, measure)
    baseline = asked.value()
    found = Importance(
        metric=str(measure),
        baseline=baseline,
        rows=len(rows),
        of_rows=len(compared.rows),
        repeats=REPEATS,
        seed=SEED,
        beyond=max(0, len(columns) - MOST_FEATURES),
    )
    if baseline is None:
        return found
    features, unanswered, out_of_time = [], [], []
    end = seconds() + BUDGET_SECONDS
    for place, column in enumerate(columns[:MOST_FEATURES]):
        drops = asked.drops(place, baseline, lambda: seconds() < end)
        if drops is None:
            unanswered.append(column.name)
        elif len(drops) < REPEATS:
            out_of_time.append(column.name)
        else:
            features.append(_described(column.name, drops))
    return msgspec.structs.replace(
        found,
        baseline=_rounded(baseline),
        features=tuple(features),
        unanswered=tuple(unanswered),
        out_of_time=tuple(out_of_time),
    )


def left_out(name: str, found: Importance) -> tuple[str, ...]:
    """Say what is not among the importances of a set, and why."""
    if found.baseline is None:
        return (
            f"Importance of features on the {name} rows: {found.metric} has no value on the {found.rows:,} drawn rows.",
        )
    said = []
    if found.rows < found.of_rows:
        said.append(
            f"Importance of features: {found.rows:,} of the {found.of_rows:,} {name} rows, drawn by seed {found.seed}."
        )
    if found.beyond:
        said.append(
            f"Importance of features on the {name} rows: the first {MOST_FEATURES} of the schema are looked at, not "
            f"the {found.beyond:,} after them."
        )
    if found.unanswered:
        said.append(
            f"Importance on the {name} rows of {listed(found.unanswered)}: the model does not answer shuffled values, "
            f"or {found.metric} has no value on its answers."
        )
    if found.out_of_time:
        said.append(
            f"Importance on the {name} rows of {listed(found.out_of_time)}: the {BUDGET_SECONDS:g} s for it were over."
        )
    return tuple(said)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The candidate and the rows that it is asked about."""

    candidate: StoredModel
    rows: HeldOut
    measure: Measure

    def value(self) -> float | None:
        """Return the metric on these rows as they are.

        Asked anew: answers may differ a little with the number of rows, and a column that tells nothing is to have 0.
        """
        return self._value(self.rows.candidate)

    def drops(self, place: int, baseline: float, is_time: Callable[[], bool]) -> list[float] | None:
        """Return how much is lost by each shuffle of a column, as many as there is time for.

        None where the model does not answer, or the metric has no value on its answers.
        """
        random = np.random.default_rng((SEED, place))
        drops: list[float] = []
        while len(drops) < REPEATS and is_time():
            columns = list(self.rows.candidate.values)
            columns[place] = random.permutation(columns[place])
            try:
                value = self._value(dataclasses.replace(self.rows.candidate, values=tuple(columns)))
            except JobError:  # rows that nobody has: a model may refuse them and be good all the same
                return None
            if value is None:
                return None
            drops.append(self.measure.gain(baseline, over=value))
        return drops

    def _value(self, rows: FeatureRows) -> float | None:
        return answers_of(self.candidate, rows, self.rows.truth, "candidate").value(self.measure)


def _drawn(rows: int) -> Mask:
    chosen = np.zeros(rows, dtype=np.bool_)
    chosen[np.random.default_rng(SEED).permutation(rows)[:MOST_ROWS]] = True
    return chosen


def _described(column: str, drops: list[float]) -> FeatureImportance:
    return FeatureImportance(
        column=column, mean=_rounded(float(np.mean(drops))), deviation=_rounded(float(np.std(drops)))
    )


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
