"""How a search scores a setting: by rows that its model was not fitted on, several times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

from evermodel.contract import FoldStrategy, Search
from evermodel_runtime.data.failure import spec_error
from evermodel_runtime.data.rows import Index, Labels
from evermodel_runtime.train.windows import LabelledRows

PLACE = "spec.training.search.folds"


@dataclass(frozen=True, slots=True)
class Fold:
    """Places of the rows that are fitted on, and of those that score."""

    fitted: Index
    scored: Index

    def part(self, share: float, random: np.random.RandomState) -> Fold:
        """Return a part of the fold, drawn without replacement, as scikit-learn's halving searches do."""
        return Fold(_part(self.fitted, share, random), _part(self.scored, share, random))


def folds_of(data: LabelledRows, search: Search, seed: int) -> list[Fold]:
    """Divide the rows as declared.

    Raises
    ------
    JobError
        SpecInvalid when there are too few rows for so many folds.
    """
    if search.fold_strategy is FoldStrategy.TEMPORAL:
        return _temporal(len(data), search.folds)
    return _stratified(data.labels, search.folds, seed)


def _temporal(rows: int, folds: int) -> list[Fold]:
    if rows <= folds:
        raise spec_error(f"{PLACE}: {folds} folds one after the other need {folds + 1} rows, and there are {rows}.")
    return [Fold(fitted, scored) for fitted, scored in TimeSeriesSplit(folds).split(np.empty(rows))]


def _stratified(labels: Labels, folds: int, seed: int) -> list[Fold]:
    if labels.dtype == np.float64:
        return _shuffled(len(labels), folds, seed)
    classes, counts = np.unique(labels, return_counts=True)
    rarest = int(counts.argmin())
    if counts[rarest] < folds:
        raise spec_error(
            f"{PLACE}: each of {folds} folds needs a row of every class, and class {classes.tolist()[rarest]!r} has "
            f"{counts[rarest]} to learn from. Set folds to {max(int(counts[rarest]), 2)} or foldStrategy to Temporal, "
            "or give the class more rows."
        )
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return [Fold(fitted, scored) for fitted, scored in splitter.split(np.empty(len(labels)), labels)]


def _shuffled(rows: int, folds: int, seed: int) -> list[Fold]:
    """Divide rows whose targets are numbers: there are no classes to have equal shares of."""
    if rows < folds:
        raise spec_error(f"{PLACE}: {folds} folds need a row each, and there are {rows}.")
    splitter = KFold(folds, shuffle=True, random_state=seed)
    return [Fold(fitted, scored) for fitted, scored in splitter.split(np.empty(rows))]


def _part(places: Index, share: float, random: np.random.RandomState) -> Index:
    if share >= 1:
        return places
    return np.sort(random.permutation(places)[: max(int(share * len(places)), 1)])
