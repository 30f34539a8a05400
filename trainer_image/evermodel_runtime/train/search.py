"""Find the parameters to fit with: try settings, score each over the folds, and keep what was found.

Each trial is written to the hub when it ends. A search that is started again, in another pod, takes those that have
ended from there and makes the others as it would have.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np

from evermodel.contract import Measure, Search, SearchAlgorithm, SearchSummary, SearchTable, Task, TrainRun, Trial
from evermodel_runtime.data.failure import JobError, spec_error
from evermodel_runtime.train.epochs import recipe_for
from evermodel_runtime.train.folds import Fold, folds_of
from evermodel_runtime.train.objective import goodness, value_of
from evermodel_runtime.train.pipeline import table
from evermodel_runtime.train.trials import Setting, choices_of, settings_of, with_setting
from evermodel_runtime.train.windows import LabelledRows

HALVING = 3
"""A round of SuccessiveHalving keeps one setting of so many, and gives it so many times the rows."""
LONGEST_PARAMETERS = 256
"""Characters of the best parameters in a report."""
LONGEST_FAILURE = 500
Say = Callable[[str], None]
Propose = Callable[[Sequence[Trial]], Setting]
"""Returns what to try after the trials of a round that have ended."""


class Journal(Protocol):
    """Where ended trials are kept while the search goes on."""

    def trials(self, version: int, run: str) -> tuple[Trial, ...]:
        """Return the trials of a run that have ended."""
        ...

    def put_trial(self, version: int, run: str, trial: Trial) -> None:
        """Keep a trial that has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """The run with the best parameters, and the search that they come from."""

    run: TrainRun
    table: SearchTable

    @property
    def summary(self) -> SearchSummary:
        """Return what is shown of it."""
        best = next(trial for trial in self.table.trials if trial.number == self.table.best)
        return SearchSummary(
            trials=len(self.table.trials),
            failed=sum(trial.score is None for trial in self.table.trials),
            score=best.score or 0.0,
            std=best.std or 0.0,
            parameters=shown(best.parameters),
        )


def shown(parameters: Setting) -> str:
    """Write parameters as JSON, cut where they are long."""
    text = msgspec.json.encode(parameters, order="deterministic").decode()
    return text if len(text) <= LONGEST_PARAMETERS else text[: LONGEST_PARAMETERS - 2] + " …"


@dataclass(frozen=True, slots=True)
class Log:
    """Where a search writes down what has ended: for itself, started again, and for people.

    Attributes
    ----------
    digest : str
        Names the search by what its trials depend on: those of another run, or of other rows, are not its own.
    """

    journal: Journal
    digest: str
    say: Say


def run_digest(run: TrainRun, data_sha256: str, rows: int) -> str:
    """Return the digest of a search over so many rows."""
    content = msgspec.json.encode((run, data_sha256, rows), order="deterministic")
    return hashlib.sha256(content).hexdigest()


def find_parameters(run: TrainRun, search: Search, data: LabelledRows, log: Log) -> Found:
    """Try the declared settings and return the run with the best one.

    Raises
    ------
    JobError
        SpecInvalid when there are too few rows, or when no trial could be fitted.
    """
    settings = settings_of(run, search)
    proposed = _proposals(run, search, settings)
    folds = folds_of(data, search, run.seed)
    rounds = rounds_of(
        search, len(settings), len(data), classes=1 if run.task is Task.REGRESSION else len(np.unique(data.labels))
    )
    known = {trial.number: trial for trial in log.journal.trials(run.version, log.digest)}
    say = log.say
    count = sum(one.settings for one in rounds)
    say(f"search: {search.algorithm}, {count} trials over {len(folds)} {search.fold_strategy} folds")
    if known:
        say(f"search goes on: {len(known)} of {count} trials had ended before")

    def tried(number: int, before: Sequence[Trial], parts: Sequence[Fold]) -> Trial:
        if number in known:
            return known[number]
        setting = proposed(before)
        trial = _try(number, with_setting(run, setting), setting, data, parts)
        log.journal.put_trial(run.version, log.digest, trial)
        say(f"trial {number} of {count}: {_told(trial, run.objective)}")
        return trial

    trials: list[Trial] = []
    for one in rounds:
        random = np.random.RandomState(run.seed)
        parts = [fold.part(one.share, random) for fold in folds]
        ended: list[Trial] = []
        while len(ended) < one.settings:
            ended.append(tried(len(trials) + len(ended) + 1, ended, parts))
        trials.extend(ended)
        ranked = _ranked(ended, run.objective)
        proposed = _in_order([trial.parameters for trial in ranked[: one.kept]])
        if not ranked:
            raise spec_error(f"spec.training.search: none of {len(ended)} trials could be fitted. {ended[0].failure}")
    best = ranked[0]
    say(f"best: trial {best.number}, {_told(best, run.objective)}")
    made = SearchTable(
        algorithm=search.algorithm,
        folds=search.folds,
        fold_strategy=search.fold_strategy,
        rows=len(data),
        trials=tuple(trials),
        best=best.number,
    )
    return Found(with_setting(run, best.parameters), made)


def _proposals(run: TrainRun, search: Search, settings: Sequence[Setting]) -> Propose:
    if search.algorithm is not SearchAlgorithm.TPE:
        return _in_order(settings)
    from evermodel_runtime.train.tpe import ParzenProposals  # noqa: PLC0415 - Optuna, which other searches do not need

    return ParzenProposals(choices_of(search), settings, run.objective, run.seed).after


def _in_order(settings: Sequence[Setting]) -> Propose:
    return lambda ended: settings[len(ended)]


@dataclass(frozen=True, slots=True)
class Round:
    """Settings that are tried on a share of the rows, and how many of them go on."""

    settings: int
    share: float
    kept: int


def rounds_of(search: Search, settings: int, rows: int, *, classes: int) -> list[Round]:
    """Return the rounds of a search: one, or for SuccessiveHalving those of scikit-learn's with ``exhaust``.

    Each round keeps the best third, on three times the rows; the last one has them all.
    """
    if search.algorithm is not SearchAlgorithm.SUCCESSIVE_HALVING:
        return [Round(settings, 1.0, 1)]
    smallest = min(2 * search.folds * classes, rows)
    wanted = 1 + math.floor(math.log(settings, HALVING) + 1e-9)
    possible = 1 + math.floor(math.log(rows / smallest, HALVING) + 1e-9)
    return list(_halving(settings, min(wanted, possible)))


def _halving(settings: int, count: int) -> Iterator[Round]:
    for left in range(count - 1, -1, -1):
        kept = math.ceil(settings / HALVING)
        yield Round(settings, 1 / HALVING**left, kept if left else 1)
        settings = kept


def _try(number: int, run: TrainRun, setting: Setting, data: LabelledRows, folds: Sequence[Fold]) -> Trial:
    rows = max(len(fold.fitted) + len(fold.scored) for fold in folds)
    ended = Trial(number=number, parameters=setting, rows=rows)
    try:
        scores = tuple(_score(run, data, fold) for fold in folds)
    except JobError as error:  # these parameters may not go together: another setting may do
        return msgspec.structs.replace(ended, failure=error.message[:LONGEST_FAILURE])
    return msgspec.structs.replace(ended, scores=scores, score=float(np.mean(scores)), std=float(np.std(scores)))


def _score(run: TrainRun, data: LabelledRows, fold: Fold) -> float:
    """Return the objective's metric on the rows of a fold that were not fitted on."""
    recipe = recipe_for(run, data.rows.columns, _silent)
    fitted = data[fold.fitted]
    pipeline = recipe.fit(fitted.rows, fitted.labels, fitted.weights)
    try:
        predicted = pipeline.predict(table(data.rows[fold.scored]))
    except (ValueError, TypeError) as error:
        raise spec_error(f"scikit-learn does not answer every row with these parameters: {error}") from error
    value = value_of(run.objective, data.labels[fold.scored], predicted)
    if value is None:
        raise spec_error(f"{run.objective.told} has no value on the {len(fold.scored):,} rows of a fold.")
    return value


def _ranked(trials: Sequence[Trial], objective: Measure) -> list[Trial]:
    """Return those that were fitted, the best first; the earlier one wins a tie."""
    fitted = [trial for trial in trials if trial.score is not None]
    return sorted(fitted, key=lambda trial: -goodness(objective, trial.score or 0.0))


def _told(trial: Trial, objective: Measure) -> str:
    if trial.score is None:
        return f"failed, {shown(trial.parameters)}: {trial.failure}"
    return f"{objective} {trial.score:.4g} ± {trial.std:.4g}, {shown(trial.parameters)}"


def _silent(_line: str) -> None:
    """Say nothing: the epochs of every trial would bury the trials."""
