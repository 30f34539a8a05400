"""Bars with their spread, as SVG: one below the other, each with its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from evermodel_runtime.data.failure import shortened

WIDTH, LABELS, RIGHT, HEAD, LINE = 640, 200, 12, 24, 18
LETTERS = 26
"""Letters of a name that fit beside the bars; the tooltip has all."""
STYLE = ".bar{fill:#3b82f6;stroke:none}.spread{stroke:currentColor;stroke-width:1.5}"


@dataclass(frozen=True, slots=True)
class Bar:
    """From 0 to ``length``, with a line from ``deviation`` below its end to as much above."""

    label: str
    length: float
    deviation: float


def drawn_bars(title: str, axis: str, bars: Sequence[Bar]) -> str:
    """Draw bars to one scale, to the left of 0 where they are negative."""
    low = min([0.0, *(bar.length - bar.deviation for bar in bars)])
    high = max([0.0, *(bar.length + bar.deviation for bar in bars)])
    wide = high - low or 1.0

    def x(value: float) -> float:
        return LABELS + (value - low) / wide * (WIDTH - LABELS - RIGHT)

    bottom, centre = HEAD + LINE * len(bars), (LABELS + WIDTH - RIGHT) / 2
    lines = []
    for place, bar in enumerate(bars):
        top, name = HEAD + LINE * place, shortened(bar.label, LETTERS)
        middle = top + LINE / 2
        left, right = sorted((x(0.0), x(bar.length)))
        lines.append(
            f"<g><title>{escape(bar.label)}: {bar.length:.4g} ± {bar.deviation:.2g}</title>"
            f'<text x="{LABELS - 6}" y="{middle + 4:.1f}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="bar" x="{left:.1f}" y="{top + 3}" width="{right - left:.1f}" height="{LINE - 6}"/>'
            f'<line class="spread" x1="{x(bar.length - bar.deviation):.1f}" y1="{middle:.1f}" '
            f'x2="{x(bar.length + bar.deviation):.1f}" y2="{middle:.1f}"/></g>'
        )
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {WIDTH} {bottom + 36}" width="{WIDTH}">'
        f'<text x="{LABELS}" y="14">{escape(title)}</text>{"".join(lines)}'
        f'<path class="axis" d="M{x(0.0):.1f} {HEAD}V{bottom}M{LABELS} {bottom}H{WIDTH - RIGHT}"/>'
        f'<text x="{LABELS}" y="{bottom + 14}">{low:.3g}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{bottom + 14}" text-anchor="end">{high:.3g}</text>'
        f'<text x="{centre:.1f}" y="{bottom + 30}" text-anchor="middle">{escape(axis)}</text></svg>'
    )
