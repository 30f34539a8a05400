"""Several pods search: whoever makes a trial, and whoever is gone in the middle of one, the table is the same."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.runtime.made_runs import make_train_run
from tests.unit.runtime.memory_hub import MemoryHub

from evermodel.contract import Column, ColumnKind, Search, SearchAlgorithm, SearchTable, Trial, TrialsLeft
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.hub.trials import TrialBoard
from evermodel_runtime.train import search as searching
from evermodel_runtime.train.search import find_parameters
from evermodel_runtime.train.sharing import Clock, Journal, Together
from evermodel_runtime.train.windows import LabelledRows

RANGES = {
    "max_depth": {"low": 1, "high": 30, "int": True},
    "ccp_alpha": {"low": 1e-5, "high": 0.1, "log": True},
}
DEPTHS = {"max_depth": list(range(1, 14))}
DIGEST = "d" * 64
LABELS = (np.arange(400) % 2).astype(np.int64)
DATA = LabelledRows(
    FeatureRows((Column(name="x", kind=ColumnKind.NUMBER),), (np.arange(400, dtype=np.float32),)), LABELS
)
TRIAL_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong. The first pod, which leads, is started again whenever it is gone."""

    killed: Mapping[int, int] = field(default_factory=dict)
    """Which pod is gone at which step."""
    deadly: frozenset[int] = frozenset()
    """Trials, as they are begun, in the middle of which the pod is gone that makes them."""
    restarts: frozenset[int] = frozenset()
    """Steps at which the hub is started anew."""


class Gone(BaseException):
    """A pod's end without a word, which no handler in it may hear of."""


@dataclass
class Pod:
    """One process that searches, which goes on by one step at a time."""

    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    gone: bool = False
    found: SearchTable | None = None
    error: BaseException | None = None
    thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class Stage:
    """Pods of one search, of which one at a time does one thing: a request to the hub, a trial, a pause."""

    def __init__(self, search: Search, faults: Faults = Faults()) -> None:
        self.search = search
        self.faults = faults
        self.hub = MemoryHub()
        self.made: Counter[int] = Counter()
        self.begun = 0
        self.seconds = 0.0
        self._arrived = threading.Semaphore(0)
        self._current = threading.local()

    def start(self) -> Pod:
        pod = Pod()
        pod.thread = threading.Thread(target=self._run, args=(pod,), daemon=True)
        pod.thread.start()
        self._arrived.acquire()
        return pod

    def let(self, pod: Pod) -> None:
        """Let a pod do one thing."""
        pod.turn.release()
        self._arrived.acquire()
        if pod.gone or pod.found is not None or pod.error is not None:
            assert pod.thread is not None
            pod.thread.join()

    def kill(self, pod: Pod) -> None:
        pod.gone = True
        self.let(pod)

    def step(self) -> None:
        pod: Pod = self._current.pod
        self._arrived.release()
        pod.turn.acquire()
        if pod.gone:
            raise Gone

    def trials(self, version: int, run: str) -> tuple[Trial, ...]:
        self.step()
        kept = self.hub.trials(version, run)
        return msgspec.json.decode(msgspec.json.encode(kept), type=tuple[Trial, ...])

    def put_trial(self, version: int, run: str, trial: Trial) -> None:
        self.step()
        self.hub.put_trial(version, run, trial)

    def begin_trial(self, version: int, run: str, left: TrialsLeft) -> int | None:
        self.step()
        return self.hub.begin_trial(version, run, left)

    def make(self, number: int, _run: Any, setting: Any, _data: Any, folds: Any) -> Trial:
        """Score a setting without a fit; one of seven cannot be fitted."""
        self.step()
        self.begun += 1
        if self.begun in self.faults.deadly:
            self._current.pod.gone = True
            raise Gone
        self.made[number] += 1
        self.seconds += TRIAL_SECONDS
        return scored(number, setting, len(folds[0].fitted))

    def _run(self, pod: Pod) -> None:
        self._current.pod = pod
        run = make_train_run(estimator="DecisionTreeClassifier", search=self.search)
        try:
            self.step()
            clock = Clock(now=lambda: self.seconds, pause=self._pause)
            found = find_parameters(run, self.search, DATA, Journal(self, 1, DIGEST), lambda _: None, clock=clock)
            pod.found = found.table
        except Gone:
            pass
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            pod.error = error
        finally:
            self._arrived.release()

    def _pause(self, seconds: float) -> None:
        self.step()
        self.seconds += seconds


def scored(number: int, setting: dict[str, Any], rows: int) -> Trial:
    """Return a trial that follows from its setting and rows alone."""
    chance = random.Random(msgspec.json.encode((setting, rows)))
    if chance.random() < 1 / 7:
        return Trial(number=number, parameters=setting, rows=rows, failure="these do not go together")
    score = chance.random()
    return Trial(number=number, parameters=setting, rows=rows, scores=(score,), score=score, std=0.0)


@contextmanager
def on(stage: Stage) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "_try", stage.make)
        yield stage


def alone(search: Search) -> SearchTable:
    """Return what one pod finds that nobody helps."""
    with on(Stage(search)) as stage:
        pod = stage.start()
        while pod.is_alive:
            stage.let(pod)
        assert pod.error is None, pod.error
        assert pod.found is not None
        return pod.found


def together(stage: Stage, choose: Callable[[list[Pod]], Pod]) -> list[SearchTable]:
    """Let three pods search until nobody has anything left to do; returns what each found that is not gone."""
    pods = [stage.start() for _ in range(3)]
    for step in range(2000):
        if step in stage.faults.restarts:
            stage.hub.begun = TrialBoard()
        victim = stage.faults.killed.get(step)
        if victim is not None and pods[victim].is_alive:
            stage.kill(pods[victim])
        if not pods[0].is_alive and pods[0].gone:
            pods[0] = stage.start()
        alive = [pod for pod in pods if pod.is_alive]
        if not alive:
            break
        stage.let(choose(alive))
    assert [pod.error for pod in pods] == [None] * 3
    left = [pod for pod in pods if not pod.gone]
    found = [pod.found for pod in left if pod.found is not None]
    assert len(found) == len(left), "a pod waits for ever"
    return found


SEARCHES = {
    SearchAlgorithm.GRID: Search(parameters=DEPTHS, max_trials=20, folds=2, parallelism=3),
    SearchAlgorithm.RANDOM: Search(
        parameters=RANGES, algorithm=SearchAlgorithm.RANDOM, max_trials=10, folds=2, parallelism=3
    ),
    SearchAlgorithm.SUCCESSIVE_HALVING: Search(
        parameters=RANGES, algorithm=SearchAlgorithm.SUCCESSIVE_HALVING, max_trials=9, folds=2, parallelism=3
    ),
    SearchAlgorithm.TPE: Search(
        parameters=RANGES, algorithm=SearchAlgorithm.TPE, max_trials=16, folds=2, parallelism=3
    ),
}


@pytest.mark.parametrize("algorithm", SearchAlgorithm)
def test_any_interleaving_of_pods_that_are_gone_gives_the_table_of_one_alone(algorithm: SearchAlgorithm) -> None:
    search = SEARCHES[algorithm]
    depends = algorithm is SearchAlgorithm.TPE
    expected = alone(search if depends else msgspec.structs.replace(search, parallelism=1))

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        order=st.randoms(use_true_random=False),
        faults=st.builds(
            Faults,
            killed=st.dictionaries(st.integers(0, 70), st.integers(0, 2), max_size=3),
            deadly=st.frozensets(st.integers(1, 18), max_size=4),
            restarts=st.frozensets(st.integers(0, 70), max_size=1),
        ),
    )
    def holds(order: random.Random, faults: Faults) -> None:
        with on(Stage(search, faults)) as stage:
            found = together(stage, order.choice)
            assert found
            assert all(table == expected for table in found)
            kept = stage.hub.trials(1, DIGEST)
            assert kept == expected.trials
            assert set(stage.made) == {trial.number for trial in kept}

    holds()


@pytest.mark.parametrize("algorithm", SearchAlgorithm)
def test_pods_that_stay_make_no_trial_twice(algorithm: SearchAlgorithm) -> None:
    with on(Stage(SEARCHES[algorithm])) as stage:
        turns = iter(range(1_000_000))
        found = together(stage, lambda alive: alive[next(turns) % len(alive)])

        assert len(found) == 3
        assert set(stage.made.values()) == {1}


def test_what_a_pod_had_begun_that_is_gone_is_made_by_another_after_twice_as_long_as_a_trial_takes() -> None:
    with on(Stage(SEARCHES[SearchAlgorithm.GRID])) as stage:
        worker, leader = stage.start(), stage.start()
        for _ in range(3):  # it starts, asks what has ended before, and what has by now
            stage.let(worker)
        stage.let(worker)  # it begins the first trial
        stage.kill(worker)
        while leader.is_alive:
            stage.let(leader)

        assert leader.found is not None
        assert len(leader.found.trials) == 13
        assert set(stage.made.values()) == {1}
        assert stage.seconds == pytest.approx(13 * TRIAL_SECONDS + 2 * TRIAL_SECONDS)


@pytest.mark.parametrize(
    ("share", "seconds"),
    [
        pytest.param(0.1, 20.0, id="on as many rows"),
        pytest.param(0.3, 60.0, id="on three times the rows"),
        pytest.param(1.0, 200.0, id="on ten times the rows"),
    ],
)
def test_a_pod_waits_longer_for_others_where_trials_have_more_rows(share: float, seconds: float) -> None:
    hub, now = MemoryHub(), 0.0

    def pause(length: float) -> None:
        nonlocal now
        now += length

    def make(number: int) -> Trial:
        pause(10.0)
        return Trial(number=number, parameters={}, rows=1)

    journal = Journal(hub, 1, DIGEST)
    pod = Together(journal, made=lambda _: None, told=lambda _: None, clock=Clock(lambda: now, pause))
    pod.all_of([1], 0.1, make)
    assert journal.begin([2], 0) == 2, "by another pod, which is gone"

    pod.all_of([2], share, make)

    assert now == pytest.approx(10.0 + seconds + 10.0)


def test_tpe_learns_from_trials_that_were_not_proposed_at_the_same_time() -> None:
    """Ten are drawn, twelve where three pods share them; the next three know of these, but not of each other."""
    search = SEARCHES[SearchAlgorithm.TPE]
    together_found, one_by_one = alone(search), alone(msgspec.structs.replace(search, parallelism=1))

    proposed = [[trial.parameters for trial in table.trials] for table in (together_found, one_by_one)]
    assert proposed[0][:10] == proposed[1][:10]
    assert proposed[0][10:] != proposed[1][10:]
    assert len({msgspec.json.encode(setting) for setting in proposed[0]}) == 16
