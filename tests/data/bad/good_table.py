"""The table from which bad ones are made: 60 rows, of which two numbers and a text tell the class."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Row = dict[str, Any]
COLOURS = ("red", "green", "blue")
SIZE = 60


def rows(count: int = SIZE) -> list[Row]:
    """Return sound rows; ``id`` is the first column."""
    return [
        {
            "id": f"r{number}",
            "age": number % 47 + 18,
            "income": (number * 7919 % 1000) / 10,
            "colour": COLOURS[number % 3],
            "class": "high" if number * 7919 % 1000 > 500 else "low",
        }
        for number in range(1, count + 1)
    ]


def as_csv(table: Sequence[Row], delimiter: str = ",") -> bytes:
    """Write rows with the header of the first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, table[0].keys(), lineterminator="\n", delimiter=delimiter, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode()


def changed(change: Callable[[int, Row], Row], count: int = SIZE) -> Callable[[], bytes]:
    """Return a recipe that changes each row, given its place from 0."""
    return lambda: as_csv([row | change(place, row) for place, row in enumerate(rows(count))])


def cells(column: str, values: dict[int, Any]) -> Callable[[], bytes]:
    """Return a recipe that changes a few cells of a column, by the row's place from 0."""
    return changed(lambda place, _row: {column: values[place]} if place in values else {})


def column(name: str, values: Callable[[int], Any], count: int = SIZE) -> Callable[[], bytes]:
    """Return a recipe that fills a whole column, given the row's place from 0."""
    return changed(lambda place, _row: {name: values(place)}, count)


def lines(content: Iterable[str]) -> bytes:
    """Return text with line feeds."""
    return "".join(f"{line}\n" for line in content).encode()


CSV = as_csv(rows())
