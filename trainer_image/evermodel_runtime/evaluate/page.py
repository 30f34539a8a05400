"""The report as one page of HTML: nothing is loaded from anywhere, and nothing of the data is markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from evermodel_runtime.evaluate.bars import STYLE as BAR_STYLE
from evermodel_runtime.evaluate.bars import Bar, drawn_bars
from evermodel_runtime.evaluate.importance import Importance
from evermodel_runtime.evaluate.report import ClassReport, NumberReport, Points, Report, SetReport

WIDTH, HEIGHT, MARGIN = 320, 240, 40
MOST_CURVES = 6
"""Classes whose curves are drawn; the table has all."""
MOST_BARS = 20
"""Features whose importance is drawn; the table has all."""
_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}
th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #8884}
th:first-child,td:first-child{text-align:left}
caption{text-align:left;font-weight:600}
svg{max-width:100%;height:auto;margin:0 1rem 1rem 0}
svg text{font:11px system-ui,sans-serif;fill:currentColor}
.axis{stroke:currentColor;fill:none}
.ideal{stroke:currentColor;stroke-dasharray:4 4;opacity:.5}
.c0{stroke:#3b82f6}.c1{stroke:#f97316}.c2{stroke:#10b981}.c3{stroke:#a855f7}.c4{stroke:#ef4444}.c5{stroke:#eab308}
.curve{fill:none;stroke-width:2}
.dot{fill:#3b82f6;fill-opacity:.6;stroke:none}
"""


def rendered(report: Report) -> bytes:
    """Return the page."""
    title = escape(f"{report.model}, version {report.version}")
    body = "".join(
        (
            f"<h1>{title}</h1><p>{escape(report.estimator)}, judged by {escape(report.objective)}.</p>",
            *(_set(one) for one in report.sets),
            "<h2>What it is about</h2>",
            _table(
                "Digests (sha256)",
                ("", ""),
                (
                    ("candidate's manifest", report.candidate),
                    ("champion's manifest", report.champion or "none"),
                    ("data", report.data_sha256),
                ),
            ),
            "<h2>What was left out</h2><ul>",
            *(f"<li>{escape(why)}</li>" for why in report.left_out),
            "</ul>",
        )
    )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}{BAR_STYLE}</style></head><body>{body}</body></html>\n"
    )
    return page.encode()


def _set(one: SetReport) -> str:
    score = one.score
    rows = [("candidate", _number(score.candidate), _interval(one.interval))]
    if score.champion is not None:
        rows.append(("champion", _number(score.champion), _interval(one.champion_interval)))
    rows.append(("without a look at the features", _number(score.dummy), ""))
    parts = [
        f"<h2>On {score.rows:,} {escape(one.name)} rows</h2>",
        _table("The verdict is by", ("", score.metric, "95 % interval"), rows),
    ]
    if score.champion is not None:
        parts.append(
            f"<p>Right alone: the candidate on {score.candidate_only:,} rows, the champion on {score.champion_only:,}. "
            + ("" if score.p is None else f"Were both equally good, so large a lead had probability {score.p:.2g}. ")
            + f"This was use {score.use} of these rows.</p>"
        )
    names = sorted({*score.metrics, *one.champion_metrics})
    parts.append(
        _table(
            "All metrics",
            ("", "candidate", "champion"),
            [(name, _number(score.metrics.get(name)), _number(one.champion_metrics.get(name))) for name in names],
        )
    )
    if score.slices:
        parts.append(
            _table(
                "Groups of rows",
                ("column", "group", "rows", "candidate", "95 % interval", "champion"),
                [
                    (
                        group.column,
                        group.group,
                        f"{group.rows:,}",
                        _number(group.candidate),
                        _interval(None if group.lower is None or group.upper is None else (group.lower, group.upper)),
                        _number(group.champion),
                    )
                    for group in score.slices
                ],
            )
        )
    parts.append(_of_classes(one.detail) if isinstance(one.detail, ClassReport) else _of_numbers(one.detail))
    if one.importance is not None and one.importance.features:
        parts.append(_importance(one.importance))
    return "".join(parts)


def _of_classes(detail: ClassReport) -> str:
    drawn = sorted(detail.classes, key=lambda one: -one.rows)[:MOST_CURVES]
    parts = [
        _table(
            "Classes",
            ("", "rows", "precision", "recall", "f1"),
            [
                (one.label, f"{one.rows:,}", _number(one.precision), _number(one.recall), _number(one.f1))
                for one in detail.classes
            ],
        ),
        _table(
            "Confusion matrix: a line for each true class, a column for each answer",
            ("", *detail.labels),
            [
                (label, *(f"{count:,}" for count in line))
                for label, line in zip(detail.labels, detail.confusion, strict=True)
            ],
        ),
    ]
    if detail.calibration:
        parts.extend(
            (
                _curves(
                    "ROC curve", ("false positive rate", "true positive rate"), [(one.label, one.roc) for one in drawn]
                ),
                _curves(
                    "Precision and recall",
                    ("recall", "precision"),
                    [(one.label, one.precision_recall) for one in drawn],
                ),
                _curves(
                    "Calibration",
                    ("probability given", "share right"),
                    [("answers", tuple((one.said, one.right) for one in detail.calibration))],
                ),
                _calibration(detail),
            )
        )
    return "".join(parts)


def _calibration(detail: ClassReport) -> str:
    error, brier = _number(detail.expected_calibration_error), _number(detail.brier)
    return f"<p>Expected calibration error {error}, Brier score {brier}.</p>"


def _of_numbers(detail: NumberReport) -> str:
    table = _table(
        "Absolute error that a share of the rows does not exceed",
        ("share", "error"),
        [(share, _number(error)) for share, error in detail.quantiles],
    )
    points = detail.actual_and_predicted
    residuals = tuple((actual, said - actual) for actual, said in points)
    return (
        f"{table}<p>Mean error (predicted less actual) {_number(detail.mean_error)}.</p>"
        + _scatter("Predicted against actual", ("actual", "predicted"), points)
        + _scatter("Residuals", ("actual", "predicted less actual"), residuals)
    )


def _importance(found: Importance) -> str:
    ranked = sorted(found.features, key=lambda one: -one.mean)
    table = _table(
        "Permutation importance",
        ("column", "mean", "standard deviation"),
        [(one.column, _number(one.mean), _number(one.deviation)) for one in ranked],
    )
    title = "Permutation importance"
    if len(ranked) > MOST_BARS:
        title += f" of the first {MOST_BARS} of {len(ranked)}"
    bars = [Bar(one.column, one.mean, one.deviation) for one in ranked[:MOST_BARS]]
    return (
        f"<p>By how much {escape(found.metric)} gets worse, from {_number(found.baseline)}, when the values of one "
        f"column are shuffled among {found.rows:,} rows: mean and standard deviation of {found.repeats} times. It says "
        "what this model leans on, not what causes what; columns that tell the same share their importance.</p>"
        + drawn_bars(title, f"{found.metric} lost", bars)
        + table
    )


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = (
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    head_and_body = f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f"<table><caption>{escape(caption)}</caption>{head_and_body}</table>"


def _curves(title: str, axes: tuple[str, str], curves: Sequence[tuple[str, Points]]) -> str:
    """Draw curves within [0, 1]; each has its name as a tooltip and in the legend. The diagonal is behind them."""
    lines = [f'<line class="ideal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>']
    for place, (label, points) in enumerate((label, points) for label, points in curves if points):
        path = " ".join(f"{_x(x)},{_y(y)}" for x, y in points)
        lines.append(f'<polyline class="curve c{place}" points="{path}"><title>{escape(label)}</title></polyline>')
        height = HEIGHT - 60 - 14 * place
        lines.append(
            f'<line class="curve c{place}" x1="{WIDTH - 90}" y1="{height}" x2="{WIDTH - 76}" y2="{height}"/>'
            f'<text x="{WIDTH - 72}" y="{height + 4}">{escape(label[:12])}</text>'
        )
    return _figure(title, axes, (("0", "1"), ("0", "1")), "".join(lines))


def _scatter(title: str, axes: tuple[str, str], points: Points) -> str:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    (left, right), (low, high) = (min(xs), max(xs)), (min(ys), max(ys))
    wide, tall = right - left or 1.0, high - low or 1.0
    dots = "".join(
        f'<circle class="dot" cx="{_x((x - left) / wide)}" cy="{_y((y - low) / tall)}" r="3"/>' for x, y in points
    )
    ends = ((f"{left:.3g}", f"{right:.3g}"), (f"{low:.3g}", f"{high:.3g}"))
    return _figure(title, axes, ends, dots)


def _figure(title: str, axes: tuple[str, str], ends: tuple[tuple[str, str], tuple[str, str]], inside: str) -> str:
    (left, right), (low, high) = ends
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}">'
        f'<text x="{MARGIN}" y="14">{escape(title)}</text>'
        f'<path class="axis" d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}"/>{inside}'
        f'<text x="{_x(0)}" y="{HEIGHT - 24}">{left}</text>'
        f'<text x="{_x(1)}" y="{HEIGHT - 24}" text-anchor="end">{right}</text>'
        f'<text x="{_x(0.5)}" y="{HEIGHT - 8}" text-anchor="middle">{escape(axes[0])}</text>'
        f'<text x="{MARGIN - 4}" y="{_y(0)}" text-anchor="end">{low}</text>'
        f'<text x="{MARGIN - 4}" y="{_y(1)}" text-anchor="end">{high}</text>'
        f'<text transform="translate(12 {_y(0.5)}) rotate(-90)" text-anchor="middle">{escape(axes[1])}</text></svg>'
    )


def _x(share: float) -> str:
    return f"{MARGIN + share * (WIDTH - MARGIN - 10):.1f}"


def _y(share: float) -> str:
    return f"{HEIGHT - MARGIN - share * (HEIGHT - MARGIN - 30):.1f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:,.4g} to {ends[1]:,.4g}"
