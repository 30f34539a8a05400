"""How long the detector stays quiet when it should, and how soon it speaks when it should not.

    python bench/detector.py           A = 10,000 labels between false alarms, 200 streams a cell
    python bench/detector.py --full    A = 100,000, the default of a ModelDeployment

The streams run side by side in numpy. ``confirm`` checks that this simulation and the detector of the hub agree to the
bit. The bound for the delay is Lorden's: ln(A KL)/KL labels, KL from the true accuracy to the level m.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "trainer_image")]

from evermodel_runtime.quality.detector import Detector, DetectorSettings

THRESHOLDS = (0.8, 0.92, 0.99)
TOLERANCE = 0.01
STREAMS = 200
TRUNCATED_AT = 5
"""Streams without an alarm end after this many times A and count with that length: the mean is then a lower bound."""
_BLOCK = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One threshold and one true accuracy."""

    threshold: float
    accuracy: float
    mean: float
    """Labels to the alarm, on average."""
    truncated: int
    """Streams that ended without one."""


def simulate(settings: DetectorSettings, accuracy: float, *, longest: int, seed: int) -> NDArray[np.int64]:
    """Label at which each stream alarms; 0 for those that do not within ``longest`` labels."""
    random = np.random.default_rng(seed)
    alarms = np.zeros(STREAMS, dtype=np.int64)
    evidence = np.zeros((len(settings.bets), STREAMS))
    running = np.arange(STREAMS)
    done = 0
    while done < longest and len(running):
        wrong = random.random((_BLOCK, STREAMS))[:, running] >= accuracy
        alarms[running], evidence = _advance(settings, evidence, wrong, done)
        quiet = alarms[running] == 0
        running, evidence = running[quiet], evidence[:, quiet]
        done += _BLOCK
    alarms[alarms > longest] = 0
    return alarms


def _advance(
    settings: DetectorSettings, evidence: NDArray[np.float64], wrong: NDArray[np.bool_], done: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Take a block of labels (rows) in all streams (columns) by the operations of ``Detector.step``, in their order."""
    m = settings.level
    bets = np.array(settings.bets)[:, None]
    right_factor, wrong_factor = 1 + bets * (m - 1), 1 + bets * m
    limit = settings.false_alarm_every * len(bets)
    alarms = np.zeros(evidence.shape[1], dtype=np.int64)
    for number, outcome in enumerate(wrong, done + 1):
        with np.errstate(over="ignore"):  # as in the detector, evidence long after an alarm is infinite
            evidence = (evidence + 1.0) * np.where(outcome, wrong_factor, right_factor)
        mixed = evidence[0].copy()
        for bet in evidence[1:]:
            mixed += bet
        alarms[(mixed >= limit) & (alarms == 0)] = number
    return alarms, evidence


def confirm(settings: DetectorSettings, accuracy: float, *, longest: int, seed: int, streams: int) -> None:
    """Check the simulation against the hub's detector: same labels, same alarm, evidence equal to the bit."""
    wrong = np.random.default_rng(seed).random((longest, STREAMS)) >= accuracy
    alarms, evidence = _advance(settings, np.zeros((len(settings.bets), STREAMS)), wrong, 0)
    for stream in range(streams):
        detector = Detector(settings)
        detector.replay((number, not outcome) for number, outcome in enumerate(wrong[:, stream].tolist(), 1))
        found = 0 if detector.crossing is None else detector.crossing.seq
        if found != alarms[stream] or detector.evidence != evidence[:, stream].tolist():
            raise AssertionError(f"stream {stream}: the simulation is not the detector ({found} vs {alarms[stream]})")


def measure(threshold: float, accuracy: float, every: float, *, seed: int) -> Cell:
    """Simulate one cell."""
    longest = int(TRUNCATED_AT * every)
    settings = DetectorSettings(threshold=threshold, tolerance=TOLERANCE, false_alarm_every=every)
    alarms = simulate(settings, accuracy, longest=longest, seed=seed)
    lengths = np.where(alarms == 0, longest, alarms)
    return Cell(threshold=threshold, accuracy=accuracy, mean=float(lengths.mean()), truncated=int((alarms == 0).sum()))


def bound(threshold: float, accuracy: float, every: float) -> float:
    """Labels that no detector with this rate of false alarms can beat by much: ln(A KL)/KL."""
    m = threshold - TOLERANCE
    distance = accuracy * math.log(accuracy / m) + (1 - accuracy) * math.log((1 - accuracy) / (1 - m))
    return math.log(every * distance) / distance


def main() -> int:
    """Print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="A = 100,000 labels between false alarms (minutes)")
    every = 100_000.0 if parser.parse_args().full else 10_000.0
    false_alarm_ratios: list[float] = []
    delay_ratios: list[float] = []
    print(f"A = {every:,.0f} labels, tolerance {TOLERANCE}, {STREAMS} streams a cell, truncated at {TRUNCATED_AT} A\n")
    print(f"{'threshold':>9} {'accuracy':>8} {'mean labels':>12} {'against':>10} {'ratio':>6} {'no alarm':>8}")
    for threshold in THRESHOLDS:
        settings = DetectorSettings(threshold=threshold, tolerance=TOLERANCE, false_alarm_every=every)
        confirm(settings, threshold - 0.05, longest=3000, seed=1, streams=5)
        for accuracy in (threshold - TOLERANCE, threshold - 0.05, threshold - 0.10):
            cell = measure(threshold, accuracy, every, seed=2026)
            quiet = accuracy == threshold - TOLERANCE
            against = every if quiet else bound(threshold, accuracy, every)
            (false_alarm_ratios if quiet else delay_ratios).append(cell.mean / against)
            print(
                f"{threshold:9.2f} {accuracy:8.2f} {cell.mean:12,.0f} {against:10,.0f} {cell.mean / against:6.2f} "
                f"{cell.truncated:8}",
                flush=True,
            )
    print("\nat the level m: mean labels to a false alarm against A; below it: mean delay against ln(A KL)/KL\n")
    print(
        json.dumps(
            {
                "worst_delay_ratio": round(max(delay_ratios), 4),
                "worst_false_alarm_ratio": round(min(false_alarm_ratios), 4),
            }
        )
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
