"""Replay one stream with every strategy."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from evermodel.contract import LabelledRecord, TrainRun
from evermodel.gate import GateRules, decide
from evermodel_runtime.backtest.hub import ReplayHub
from evermodel_runtime.backtest.jobs import Jobs, Version, declare
from evermodel_runtime.backtest.loop import Loop, LoopRules, Tell
from evermodel_runtime.backtest.schedules import replay_schedules
from evermodel_runtime.backtest.stream import Stream, StreamRows, accuracy, read_rows, usable_features
from evermodel_runtime.data.dataset import read_dataset
from evermodel_runtime.data.failure import listed
from evermodel_runtime.data.rows import Mask
from evermodel_runtime.quality.detector import DetectorSettings
from evermodel_runtime.quality.wilson import wilson_interval
from evermodel_runtime.train.defaults import default_steps

MIN_SAMPLES = 400
"""``monitoring.minSamples``, as it is by default; of a short stream as many as the first rows."""
TOLERANCE = 0.01
FALSE_ALARM_EVERY = 100_000
LOWEST_THRESHOLD = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What may be chosen for a replay.

    Attributes
    ----------
    threshold : float or None
        Accuracy to keep; None: half a standard error below the first holdout score.
    batch : int
        Rows that are predicted before their labels come together.
    """

    estimator: str
    parameters: dict[str, object]
    threshold: float | None
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came out.

    Attributes
    ----------
    static, scheduled, loop, oracle : float
        Share of right answers over the rows after the first ones, each given before its label.
    fits : int
        Models that the loop fitted, with the first version and the candidates of each validation.
    """

    rows: int
    first: int
    holdout: float
    threshold: float
    static: float
    scheduled: float
    loop: float
    oracle: float
    fits: int
    alarms: int
    runs: int
    promotions: int


def replay(stream: Stream, settings: Settings, tell: Tell) -> Replayed:
    """Replay a stream; ``tell`` is told what the loop does."""
    run = declared(stream, settings, tell)
    jobs = Jobs(ReplayHub(stream.first_rows()), run)
    first = jobs.train_first()
    reference = jobs.evaluate(first, None, None).reference
    assert reference is not None, "read_dataset refuses a file of which nothing is held out"
    threshold = settings.threshold if settings.threshold is not None else below(reference.candidate, reference.rows)
    rows = read_rows(stream, first.model.manifest.columns)
    static = right_answers(first, rows, slice(stream.first, len(stream)))
    tell(
        0, f"version 1: accuracy {reference.candidate:.3f} on {reference.rows} held-out rows; threshold {threshold:.3f}"
    )
    rules = GateRules(threshold=threshold, min_samples=min(MIN_SAMPLES, stream.first))
    verdict = decide(rules, reference=reference, fresh=None)
    tell(0, f"version 1: {verdict.message}")
    detector = DetectorSettings(threshold=threshold, tolerance=TOLERANCE, false_alarm_every=FALSE_ALARM_EVERY)
    loop = Loop(jobs, LoopRules(gate=rules, detector=detector), first, tell)
    looped = replay_loop(stream, rows, loop, jobs.hub.ledger, settings.batch)
    tell(jobs.last_seq, "that was the loop; the schedules follow, which fit four models for each period")
    others = replay_schedules(stream, rows, run, static)
    return Replayed(
        rows=len(stream),
        first=stream.first,
        holdout=reference.candidate,
        threshold=threshold,
        static=accuracy(static),
        scheduled=accuracy(others.scheduled),
        loop=accuracy(looped),
        oracle=accuracy(others.oracle),
        fits=jobs.fits,
        alarms=loop.alarms,
        runs=loop.versions - 1,
        promotions=loop.promotions,
    )


def declared(stream: Stream, settings: Settings, tell: Tell) -> TrainRun:
    """Declare the usable columns, and the default steps for all that they will hold: later rows may lack values."""
    tell(0, f"the first {stream.first:,} of {len(stream):,} rows are the training data")
    features = usable_features(stream)
    unused = [name for name in stream.file.header if name not in {*features, stream.target}]
    if unused:
        tell(0, f"columns {listed(unused)} are left out: they hold too many different texts, or nothing at first")
    run = declare(features, stream.target, settings.estimator, settings.parameters)
    rows = read_dataset(stream.file, run.data).features
    return msgspec.structs.replace(run, preprocessing=default_steps(rows, run.estimator))


def replay_loop(stream: Stream, rows: StreamRows, loop: Loop, ledger: list[LabelledRecord], batch: int) -> Mask:
    """Predict each batch with the champion of the moment, then let its labels come; returns the right answers."""
    right = []
    for number, chosen in enumerate(stream.batches(batch)):
        right.append(right_answers(loop.champion, rows, chosen))
        champion = loop.champion.number
        ledger.extend(rows.records(chosen, first=stream.first, version=champion, predicted_at=float(number)))
        loop.take(right[-1], written_at=number + 0.5)
    return np.concatenate(right)


def right_answers(version: Version, rows: StreamRows, chosen: slice) -> Mask:
    """Return which rows a version answers rightly."""
    return np.asarray(version.answers(rows.features[chosen]) == rows.truth[chosen], dtype=np.bool_)


def below(score: float, rows: int) -> float:
    """Return a threshold a little below a score, by half its standard error: the true accuracy may well be there."""
    lower, _ = wilson_interval(round(score * rows), rows, z=0.5)
    return max(round(lower, 3), LOWEST_THRESHOLD)
