"""Settings proposed by what was learnt from those before: a tree-structured Parzen estimator, by Optuna.

Bergstra et al., Algorithms for Hyper-Parameter Optimization (2011). Each proposal depends on the seed and on the trials
that have ended, and on nothing else, so that a search that is started again proposes what it would have proposed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from evermodel.contract import Measure, Trial
from evermodel_runtime.train.objective import goodness
from evermodel_runtime.train.trials import Range, Setting

FIRST = 10
"""Trials that are drawn at random, for the others to learn from."""
ASKED = 20
"""Times that a setting is asked for, since one may have been tried before."""


class ParzenProposals:
    """What to try next.

    Parameters
    ----------
    drawn : sequence of Setting
        Different settings drawn at random, as many as there are to be trials: the first are tried as they are, and
        others where all that is proposed has been tried.
    """

    def __init__(
        self, choices: Mapping[str, list[Any] | Range], drawn: Sequence[Setting], objective: Measure, seed: int
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(direction="maximize")
        self._choices = choices
        self._space = {name: _distribution(choice) for name, choice in choices.items()}
        self._drawn = drawn
        self._objective = objective
        self._seed = seed
        self._known: list[bytes] = []

    def after(self, ended: Sequence[Trial], count: int) -> list[Setting]:
        """Return the settings to try after these trials, which begin with those of the call before.

        Those of one call differ, and none knows what comes of the others.
        """
        for trial in ended[len(self._known) :]:
            self._study.add_trial(self._as_optuna(trial))
            self._known.append(_key(trial.parameters))
        tried, proposed = set(self._known), list[Setting]()
        for number in range(len(ended), len(ended) + count):
            propose = len(ended) >= FIRST
            candidates = chain(self._asked(number) if propose else (), self._drawn)
            proposed.append(next(setting for setting in candidates if _key(setting) not in tried))
            tried.add(_key(proposed[-1]))
        return proposed

    def _asked(self, number: int) -> Iterator[Setting]:
        for repeat in range(ASKED):
            seed = int(np.random.SeedSequence((self._seed, number, repeat)).generate_state(1)[0])
            self._study.sampler = TPESampler(seed=seed, n_startup_trials=1, multivariate=True)
            asked = self._study.ask(self._space)
            self._study.tell(asked, state=TrialState.FAIL)  # forgotten: it is added when it has ended
            yield {name: self._value(name, value) for name, value in asked.params.items()}

    def _value(self, name: str, value: Any) -> Any:
        choice = self._choices[name]
        return choice.bounded(value) if isinstance(choice, Range) else choice[value]

    def _as_optuna(self, trial: Trial) -> FrozenTrial:
        parameters = {name: self._place(name, value) for name, value in trial.parameters.items()}
        if trial.score is None:  # pruned: worse than any that was fitted, so that its neighbours are avoided
            return create_trial(state=TrialState.PRUNED, params=parameters, distributions=self._space)
        return create_trial(value=goodness(self._objective, trial.score), params=parameters, distributions=self._space)

    def _place(self, name: str, value: Any) -> Any:
        choice = self._choices[name]
        return value if isinstance(choice, Range) else [_key(one) for one in choice].index(_key(value))


def _distribution(choice: list[Any] | Range) -> BaseDistribution:
    if not isinstance(choice, Range):
        return CategoricalDistribution(range(len(choice)))  # by place: a value may be a list
    if choice.whole:
        return IntDistribution(int(choice.low), int(choice.high), log=choice.log)
    return FloatDistribution(choice.low, choice.high, log=choice.log)


def _key(value: Any) -> bytes:
    """Tell values apart as a search does: 1 and 1.0 are two."""
    return msgspec.json.encode(value, order="deterministic")
