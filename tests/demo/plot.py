"""The picture of a run: live accuracy with its interval against the threshold, and which version answered."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tests.demo.journal import Journal, LivePoint

VERSION_COLOURS = ("#dce9f7", "#e2f3df", "#f7efd8", "#f0e2f3")


def draw(journal: Journal, path: Path, *, threshold: float, window: int) -> None:
    """Save the picture of what was seen so far."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots()
    end = journal.elapsed()
    _shade_versions(axes, journal, end)
    for _, points in groupby(journal.live, key=lambda point: point.version):
        _draw_live(axes, list(points))
    _draw_answers(axes, journal, window)
    axes.axhline(threshold, color="#b22222", linestyle="--", linewidth=1, label=f"threshold {threshold:g}")
    for stage, text in (("turned", "camera turned by 90°"), ("alarm", "alarm"), ("retraining", "retraining")):
        if (moment := journal.at(stage)) is not None:
            axes.axvline(moment, color="#555555", linewidth=0.8)
            axes.annotate(text, (moment, 0.02), rotation=90, xytext=(3, 0), textcoords="offset points", fontsize=8)
    starts = [moment for moment, _ in journal.first_answers()]
    axes.set(
        xlim=(starts[0] if starts else 0, end), ylim=(0, 1.04), xlabel="seconds since the start", ylabel="accuracy"
    )
    axes.set_title("A served model keeps its accuracy: live accuracy with its 95 % interval")
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes.legend(unique.values(), unique.keys(), loc="lower right", fontsize=8)
    figure.savefig(path, dpi=130)


def rolling_accuracy(right: list[bool], window: int) -> list[float]:
    """Return the share of right answers among the last ``window``, after each."""
    sums = np.concatenate(([0], np.cumsum(right)))
    ends = np.arange(1, len(right) + 1)
    starts = np.maximum(ends - window, 0)
    shares: list[float] = ((sums[ends] - sums[starts]) / (ends - starts)).tolist()
    return shares


def _shade_versions(axes: Axes, journal: Journal, end: float) -> None:
    starts = journal.first_answers()
    ends = [moment for moment, _ in starts[1:]] + [end]
    for place, ((start, version), until) in enumerate(zip(starts, ends, strict=True)):
        axes.axvspan(start, until, color=VERSION_COLOURS[place % len(VERSION_COLOURS)], linewidth=0)
        axes.annotate(f"version {version}", (start, 1.01), xytext=(4, 0), textcoords="offset points", fontsize=9)


def _draw_live(axes: Axes, points: list[LivePoint]) -> None:
    times = [point.at_s for point in points]
    lower, upper = [point.lower for point in points], [point.upper for point in points]
    axes.fill_between(times, lower, upper, step="post", color="#1f5fa8", alpha=0.25, linewidth=0)
    values = [point.value for point in points]
    axes.step(times, values, where="post", color="#1f5fa8", linewidth=1.8, label="status.live, as the operator says")


def _draw_answers(axes: Axes, journal: Journal, window: int) -> None:
    """Draw what the clients counted themselves, over the same window, per version as the hub does."""
    for version in {version for _, version, _ in journal.tally.outcomes}:
        own = [(moment - journal.begin, right) for moment, by, right in journal.tally.outcomes if by == version]
        shares = rolling_accuracy([right for _, right in own], window)
        label = f"counted by the clients, last {window}"
        axes.plot([moment for moment, _ in own], shares, color="#777777", linewidth=0.9, label=label)
