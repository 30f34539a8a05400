"""JSON lines that are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.data.bad.case import BadData, Recipe, invalid
from tests.data.bad.good_table import lines, rows

FILE = {"file": "rows.jsonl"}


def _with(number: int, line: str) -> Recipe:
    """Replace a line, counted from 1."""
    return lambda: lines(line if n == number else json.dumps(row) for n, row in enumerate(rows(), start=1))


def _each(change: Callable[[int], dict[str, Any]]) -> Recipe:
    return lambda: lines(json.dumps(row | change(number)) for number, row in enumerate(rows(), start=1))


BROKEN_JSON: tuple[BadData, ...] = (
    invalid(
        "a JSON list instead of lines",
        lambda: json.dumps(rows(), indent=1).encode(),
        "line 1",
        "one object on each line",
        **FILE,
    ),
    invalid("a JSON list on one line", lambda: json.dumps(rows()).encode(), "line 1", "without a list", **FILE),
    invalid(
        "one JSON object of columns",
        lambda: json.dumps({k: [r[k] for r in rows()] for k in rows()[0]}).encode(),
        "has 1 row;",
        **FILE,
    ),
    invalid("a line that is no JSON", _with(12, "r12,30,4.5,red,low"), "line 12 is not one JSON object", **FILE),
    invalid("a line cut short", _with(60, '{"id": "r60", "age"'), "line 60", **FILE),
    invalid(
        "a nested object in a line",
        _with(12, '{"id": "r12", "age": {"years": 30}, "class": "low"}'),
        "line 12",
        "column 'age' holds an object",
        **FILE,
    ),
    invalid("a nested object in every line", _each(lambda n: {"place": {"x": n}}), "'place'", **FILE),
    invalid("a list in every line", _each(lambda n: {"tags": [n]}), "'tags'", **FILE),
    invalid(
        "a number spelled as text in one line",
        _with(12, '{"id": "r12", "age": "30", "class": "low"}'),
        "column 'age' is number in line 1",
        "line 12 holds the text '30'",
        **FILE,
    ),
    invalid("a number of a thousand digits", _with(12, '{"id": "r12", "age": 1e999, "class": "low"}'), "12", **FILE),
    invalid(
        "keys twice in one object",
        _with(12, '{"id": "r12", "age": 3, "age": 4, "income": 1, "colour": "red", "class": "low"}'),
        "'age'",
        "line 12",
        **FILE,
    ),
    invalid(
        "a target that most lines lack",
        lambda: lines(
            json.dumps({k: v for k, v in row.items() if n % 4 == 0 or k != "class"}) for n, row in enumerate(rows())
        ),
        "the target 'class' has no value in 45 of 60 rows",
        "row 2 (line 2)",
        **FILE,
    ),
    invalid(
        "labels of mixed types",
        _with(12, '{"id": "r12", "age": 30, "class": 1}'),
        "column 'class' is text in line 1",
        "line 12 holds the number 1",
        **FILE,
    ),
    invalid(
        "only empty objects", lambda: lines(["{}"] * 60), "has no columns", "every line is an empty object", **FILE
    ),
    invalid("only null", lambda: lines(["null"] * 60), "line 1 is not one JSON object", **FILE),
    invalid("a null line", _with(12, " null"), "line 12 is not one JSON object", **FILE),
    invalid("an empty key", _each(lambda n: {"": n}), "no name", **FILE),
)
