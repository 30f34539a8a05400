"""The settings that a search may try: checked and drawn before anything is fitted, the same each time.

scikit-learn's ParameterGrid and ParameterSampler make them; each setting is a run with other parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from sklearn.model_selection import ParameterGrid, ParameterSampler

from evermodel.contract import Ensemble, Search, SearchAlgorithm, TrainRun
from evermodel_runtime.data.failure import JobError, did_you_mean, spec_error
from evermodel_runtime.train.ensembles import FINAL, estimator_of, with_member_parameter
from evermodel_runtime.train.transformers import make_transformer

PLACE = "spec.training.search.parameters"
OF_A_STEP = "__"
"""Stands between a step of the preprocessing, or a member, and its parameter, as in scikit-learn."""
DRAWS = 20
"""Times that as many settings are drawn, since one may have been drawn before."""
Setting = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers between two bounds, both included when whole; what ParameterSampler draws from."""

    low: float
    high: float
    log: bool
    whole: bool

    def rvs(self, random_state: np.random.RandomState) -> float | int:
        """Draw one."""
        if self.whole and not self.log:
            return int(random_state.randint(int(self.low), int(self.high) + 1))
        if not self.log:
            return float(random_state.uniform(self.low, self.high))
        drawn = float(np.exp(random_state.uniform(np.log(self.low), np.log(self.high))))
        return self.bounded(round(drawn) if self.whole else drawn)

    def bounded(self, value: float) -> float | int:
        """Return a value as the estimator gets it: rounding cannot leave the range."""
        within = min(max(value, self.low), self.high)
        return int(within) if self.whole else float(within)

    @property
    def bounds(self) -> list[float | int]:
        """Return both ends, as the estimator would get them."""
        return [self.bounded(self.low), self.bounded(self.high)]


Choices = Mapping[str, list[Any] | Range]


def settings_of(run: TrainRun, search: Search) -> list[Setting]:
    """Return the settings to try, in order; checked against the estimator before anything is fitted.

    Of a TPE they are those that it falls back to, and as many as there are to be trials.

    Raises
    ------
    JobError
        SpecInvalid with the field, the value and what may stand there.
    """
    choices = choices_of(search)
    for name, choice in choices.items():
        for value in choice.bounds if isinstance(choice, Range) else choice:
            _check(run, name, value)
    if search.algorithm is SearchAlgorithm.GRID:
        return _grid(choices, search.max_trials)
    return _drawn(choices, search.max_trials, run.seed)


def choices_of(search: Search) -> Choices:
    """Return what each parameter may be.

    Raises
    ------
    JobError
        SpecInvalid where something else than values or a range is declared.
    """
    return {name: _choices(name, declared, search.algorithm) for name, declared in search.parameters.items()}


def with_setting(run: TrainRun, setting: Setting) -> TrainRun:
    """Return the run with these parameters in place of its own."""
    for name, value in setting.items():
        run = _with_value(run, name, value)
    return run


def _with_value(run: TrainRun, name: str, value: Any) -> TrainRun:
    part, separator, parameter = name.partition(OF_A_STEP)
    if not separator and run.ensemble is None:
        return msgspec.structs.replace(run, parameters=run.parameters | {name: value})
    if run.ensemble is not None:
        changed = _in_ensemble(run.ensemble, part, parameter, value)
        if changed is not None:
            return msgspec.structs.replace(run, ensemble=changed)
    index, parameter = step_of(run, name)
    steps = list(run.preprocessing)
    steps[index] = msgspec.structs.replace(steps[index], parameters=steps[index].parameters | {parameter: value})
    return msgspec.structs.replace(run, preprocessing=tuple(steps))


def _in_ensemble(ensemble: Ensemble, part: str, parameter: str, value: Any) -> Ensemble | None:
    if parameter:
        return with_member_parameter(ensemble, part, parameter, value)
    return msgspec.structs.replace(ensemble, parameters=ensemble.parameters | {part: value})


def step_of(run: TrainRun, name: str) -> tuple[int, str]:
    """Return which step of the preprocessing a name such as ``PCA__n_components`` or ``0__n_components`` is about."""
    which, _, parameter = name.partition(OF_A_STEP)
    transformers = [step.transformer for step in run.preprocessing]
    if which.isdecimal() and int(which) < len(transformers):
        return int(which), parameter
    if transformers.count(which) == 1:
        return transformers.index(which), parameter
    if run.ensemble is not None:
        members = [member.name for member in run.ensemble.members]
        raise spec_error(
            f"{PLACE}.{name}: neither a member nor a step of the preprocessing is {which!r}."
            f"{did_you_mean(which, [*members, *transformers])} The members are {', '.join(members)}; the final "
            f"estimator of a Stacking is {FINAL}."
        )
    there = ", ".join(f"{place} ({transformer})" for place, transformer in enumerate(transformers)) or "none"
    if which in transformers:
        raise spec_error(f"{PLACE}.{name}: several steps are a {which}. Write a step's place: {there}.")
    raise spec_error(
        f"{PLACE}.{name}: no step of the preprocessing is {which!r}.{did_you_mean(which, transformers)} The steps are "
        f"{there}."
    )


def _choices(name: str, declared: Any, algorithm: SearchAlgorithm) -> list[Any] | Range:
    if isinstance(declared, list) and declared:
        return declared
    if not isinstance(declared, dict):
        raise spec_error(
            f"{PLACE}.{name}: {declared!r} is neither a list of values, such as [0.1, 1, 10], nor a range, such as "
            "{low: 0.1, high: 10, log: true}."
        )
    if algorithm is SearchAlgorithm.GRID:
        raise spec_error(
            f"{PLACE}.{name}: a Grid tries all values of a list. For a range, set the algorithm to Random."
        )
    return _range(f"{PLACE}.{name}", declared)


def _range(place: str, declared: dict[str, Any]) -> Range:
    known = ("low", "high", "log", "int")
    unknown = [key for key in declared if key not in known]
    if unknown:
        raise spec_error(f"{place}.{unknown[0]}: a range has {', '.join(known)}.{did_you_mean(unknown[0], known)}")
    for key in ("low", "high"):
        value = declared.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise spec_error(f"{place}.{key}: a range needs two numbers, low and high; this is {value!r}.")
    for key in ("log", "int"):
        if not isinstance(declared.get(key, False), bool):
            raise spec_error(f"{place}.{key}: {declared[key]!r} is neither true nor false.")
    made = Range(
        low=declared["low"], high=declared["high"], log=declared.get("log", False), whole=declared.get("int", False)
    )
    if not made.low < made.high:
        raise spec_error(f"{place}: low {made.low:g} must be below high {made.high:g}.")
    if made.log and made.low <= 0:
        raise spec_error(f"{place}.low: {made.low:g} has no logarithm. Raise it above 0, or leave log out.")
    if made.whole and not (float(made.low).is_integer() and float(made.high).is_integer()):
        raise spec_error(f"{place}: low {made.low:g} and high {made.high:g} must be whole numbers where int is true.")
    return made


def _check(run: TrainRun, name: str, value: Any) -> None:
    """Let the classes themselves look at a value."""
    try:
        tried = _with_value(run, name, value)
        estimator_of(tried)
        for index, step in enumerate(tried.preprocessing):
            make_transformer(step.transformer, step.parameters, index, tried.seed)
    except JobError as error:
        # What comes before the first colon is the field of a parameter that is not searched for.
        _, _, words = error.message.partition(": ")
        raise spec_error(f"{PLACE}.{name}: {words}") from error


def _grid(choices: Choices, most: int) -> list[Setting]:
    grid = _different(ParameterGrid(dict(choices)))
    if len(grid) > most:
        raise spec_error(
            f"{PLACE}: the grid has {len(grid):,} settings, and spec.training.search.maxTrials is {most:,}. Raise it, "
            "take values out, or set the algorithm to Random, which tries a part."
        )
    return grid


def _drawn(choices: Choices, count: int, seed: int) -> list[Setting]:
    """Draw different settings: as many as wanted, or as there are."""
    if not any(isinstance(choice, Range) for choice in choices.values()):
        count = min(count, len(ParameterGrid(dict(choices))))
        return _different(ParameterSampler(dict(choices), count, random_state=seed))
    random = np.random.RandomState(seed)
    found: list[Setting] = []
    for _ in range(DRAWS):
        found = _different([*found, *ParameterSampler(dict(choices), count, random_state=random)])
        if len(found) >= count:
            break
    return found[:count]


def _different(settings: Iterable[Setting]) -> list[Setting]:
    """Leave out settings that came before: 1 and 1.0 are two, since an estimator may take one and refuse the other."""
    return list({msgspec.json.encode(setting, order="deterministic"): setting for setting in settings}.values())
