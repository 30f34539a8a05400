"""Find the parameters to fit with: try settings, score each over the folds, and keep what was found.

Each trial is written to the hub when it ends. A search that is started again, in another pod, takes those that have
ended from there and makes the others as it would have; where several pods search, they do the same beside each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from evermodel.contract import Measure, Search, SearchSummary, SearchTable, Task, TrainRun, Trial
from evermodel_runtime.data.failure import JobError, spec_error
from evermodel_runtime.train.epochs import recipe_for
from evermodel_runtime.train.folds import Fold, folds_of
from evermodel_runtime.train.objective import value_of
from evermodel_runtime.train.pipeline import table
from evermodel_runtime.train.rounds import Rounds, ranked, rounds_of
from evermodel_runtime.train.sharing import REAL, Alone, Clock, Journal, Sharing, Together
from evermodel_runtime.train.trials import Setting, with_setting
from evermodel_runtime.train.windows import LabelledRows

LONGEST_PARAMETERS = 256
"""Characters of the best parameters in a report."""
LONGEST_FAILURE = 500
Say = Callable[[str], None]


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


def run_digest(run: TrainRun, data_sha256: str, data: LabelledRows) -> str:
    """Return the digest of what the trials of a search depend on.

    Without what pods of one run may be told otherwise, since they are not started at the same moment: the champion may
    be another by then.
    """
    told = msgspec.structs.replace(run, champion=None, known=(), hub_url="")
    content = msgspec.json.encode((told, data_sha256, data.rows.columns, len(data)), order="deterministic")
    return hashlib.sha256(content).hexdigest()


def find_parameters(
    run: TrainRun, search: Search, data: LabelledRows, journal: Journal, say: Say, *, clock: Clock = REAL
) -> Found:
    """Try the declared settings and return the run with the best one.

    Raises
    ------
    JobError
        SpecInvalid when there are too few rows, or when no trial could be fitted.
    """
    classes = 1 if run.task is Task.REGRESSION else len(np.unique(data.labels))
    rounds = rounds_of(run, search, len(data), classes=classes)
    folds = folds_of(data, search, run.seed)
    by = "" if search.parallelism == 1 else f" by {search.parallelism} pods"
    say(f"search: {search.algorithm}, {rounds.count} trials over {len(folds)} {search.fold_strategy} folds{by}")
    before = journal.ended()
    if before:
        say(f"search goes on: {len(before)} of {rounds.count} trials had ended before")

    def made(trial: Trial) -> None:
        say(f"trial {trial.number} of {rounds.count}: {_told(trial, run.objective)}")

    def told(ended: Collection[Trial]) -> None:
        best = ranked(sorted(ended, key=lambda trial: trial.number), run.objective)
        so_far = f"; the best so far: {_told(best[0], run.objective)}" if best else ""
        say(f"{len(ended)} of {rounds.count} trials have ended{so_far}")

    sharing: Sharing = Together(journal, made, told, clock)
    if search.parallelism == 1:
        sharing = Alone(journal, before, made)
    tried = _tried(run, rounds, data, folds, sharing)
    best = ranked(tried.on_all_rows, run.objective)
    if not best:
        raise spec_error(f"spec.training.search: none of {len(tried.last)} trials could be fitted. {tried.failure}")
    say(f"best: trial {best[0].number}, {_told(best[0], run.objective)}")
    made_table = SearchTable(
        algorithm=search.algorithm,
        folds=search.folds,
        fold_strategy=search.fold_strategy,
        rows=len(data),
        trials=tuple(tried.trials),
        best=best[0].number,
    )
    return Found(with_setting(run, best[0].parameters), made_table)


@dataclass(slots=True)
class _Tried:
    """The trials of a search, by their rounds.

    Attributes
    ----------
    on_all_rows : list of Trial
        Those that may be the best.
    last : list of Trial
        Those of the last round, or of all rounds where each has all the rows.
    """

    trials: list[Trial] = field(default_factory=list)
    on_all_rows: list[Trial] = field(default_factory=list)
    last: list[Trial] = field(default_factory=list)

    @property
    def failure(self) -> str:
        """Why the first of the last ones could not be fitted."""
        return self.last[0].failure

    def add(self, ended: list[Trial], share: float) -> None:
        """Take the trials of a round."""
        self.trials += ended
        self.on_all_rows += ended if share == 1.0 else ()
        self.last = self.on_all_rows if share == 1.0 else ended


def _tried(run: TrainRun, rounds: Rounds, data: LabelledRows, folds: Sequence[Fold], sharing: Sharing) -> _Tried:
    """Make the trials round by round."""
    tried = _Tried()
    while (one := rounds.after(tried.trials)) is not None:
        random = np.random.RandomState(run.seed)
        parts = [fold.part(one.share, random) for fold in folds]
        settings = dict(enumerate(one.settings, len(tried.trials) + 1))

        def make(number: int, settings: dict[int, Setting] = settings, parts: Sequence[Fold] = parts) -> Trial:
            setting = settings[number]
            return _try(number, with_setting(run, setting), setting, data, parts)

        tried.add(sharing.all_of(list(settings), one.share, make), one.share)
    return tried


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


def _told(trial: Trial, objective: Measure) -> str:
    if trial.score is None:
        return f"failed, {shown(trial.parameters)}: {trial.failure}"
    return f"{objective} {trial.score:.4g} ± {trial.std:.4g}, {shown(trial.parameters)}"


def _silent(_line: str) -> None:
    """Say nothing: the epochs of every trial would bury the trials."""
