"""The target column: what its classes or numbers are, and how a label that came as text is one of them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evermodel.contract import Scalar, Task, label_text
from evermodel_runtime.data.columns import Places, spelled
from evermodel_runtime.data.failure import data_error, listed
from evermodel_runtime.data.rows import Labels
from evermodel_runtime.data.table import Table
from evermodel_runtime.quality.outcomes import as_number

INT64 = 2**63
UNLABELLED = frozenset({"", "na", "n/a", "nan", "null", "#n/a", "<na>"})
"""How a missing label is spelled, in lower case; "none" may be a class."""
BOOLEANS = frozenset({"true", "false"})
YES_OR_NO = BOOLEANS | {"yes", "no", "y", "n", "on", "off", "1", "0", "1.0", "0.0"}
MOST_FRACTIONS = 20
"""Different labels with fractions up to which they may be classes, such as shoe sizes."""
PADDED = re.compile(r"[+-]?0\d")
"""A number with leading zeros, which are dropped as it is read: rather a code."""
MIN_CLASSES = 2
MOST_CLASSES = 0.5
"""Classes per row above which the target is surely not a class."""


@dataclass(frozen=True, slots=True)
class Target:
    """The labels of the file's rows.

    Attributes
    ----------
    labels : array of shape (rows,)
        int64 where every class is a whole number, otherwise str as object, spelled as ``label_text`` does; float64 of
        a regression.
    """

    labels: Labels

    def parse(self, texts: Iterable[str]) -> list[Scalar | None]:
        """Turn labels that came as text into the target's type; None where one does not fit. New classes are fine."""
        if self.labels.dtype == np.float64:
            return [as_number(text) for text in texts]
        return [_whole(text) if self.labels.dtype == np.int64 else text for text in texts]

    def array(self, labels: Iterable[Scalar]) -> Labels:
        """Return labels that ``parse`` gave as an array of the target's type."""
        if self.labels.dtype == np.object_:
            return as_texts(labels)
        if self.labels.dtype == np.float64:
            return np.array(list(labels), dtype=np.float64)
        return np.array(list(labels), dtype=np.int64)


class UsualAnswers(NamedTuple):
    """What is answered without a look at a row: the class that is most frequent, or the mean and median of numbers."""

    majority: Scalar | None
    mean: float | None
    median: float | None


def usual_answers(labels: Labels, classes: Iterable[Scalar], task: Task) -> UsualAnswers:
    """Return them for labels that were trained on; of classes that are as frequent, the first."""
    if task is Task.REGRESSION:
        numbers = labels.astype(np.float64)
        return UsualAnswers(None, float(numbers.mean()), float(np.median(numbers)))
    counts = Counter(labels.tolist())
    return UsualAnswers(max(classes, key=lambda label: counts[label], default=None), None, None)


def read_target(file: Table, name: str, task: Task = Task.CLASSIFICATION) -> Target:
    """Read and check the target column: of classes, or of numbers.

    Raises
    ------
    JobError
        DataInvalid: labels are missing, there is one class only, or nearly as many classes as rows; for a regression,
        a target is missing or no finite number, or all are equal.
    """
    return _read_numbers(file, name) if task is Task.REGRESSION else _read_classes(file, name)


def _read_numbers(file: Table, name: str) -> Target:
    codes, words = spelled(file, name)
    numbers = np.array([math.nan if (number := as_number(word)) is None else number for word in words])[codes]
    wrong = np.flatnonzero(np.isnan(numbers))
    if len(wrong):
        row = int(wrong[0])
        word = words[codes[row]].strip()
        holds = "no value" if word.lower() in UNLABELLED else repr(word)
        others = f" (and {len(wrong) - 1:,} more rows likewise)" if len(wrong) > 1 else ""
        raise data_error(
            f"{file.name}: the target {name!r} must be a finite number for the task Regression; {file.place(row)} "
            f"holds {holds}{others}. Correct or remove these rows; if the target is a class, set spec.task to "
            "Classification."
        )
    if numbers.min() == numbers.max():
        raise data_error(
            f"{file.name}: the target {name!r} is {words[codes[0]]} in every row: there is nothing to predict. Is "
            "spec.data.target the right column?"
        )
    return Target(numbers)


def _read_classes(file: Table, name: str) -> Target:
    codes, words = spelled(file, name)
    words = [word.strip() for word in words]
    empty = np.array([word.lower() in UNLABELLED for word in words], dtype=np.bool_)
    missing = np.flatnonzero(empty[codes])
    if len(missing):
        raise data_error(
            f"{file.name}: the target {name!r} has no value in {len(missing):,} of {len(file):,} rows: "
            f"{listed([file.place(int(row)) for row in missing])}. Remove these rows or label them."
        )
    used = np.flatnonzero(np.bincount(codes))
    _check_spellings(file, name, codes, [words[code] for code in used], words)
    labels = _typed([words[code] for code in used])
    _check_merged(file, name, codes, dict(zip(used.tolist(), labels.tolist(), strict=True)), words)
    target = Target(labels[np.searchsorted(used, codes)])
    classes = np.unique(labels)
    if len(classes) < MIN_CLASSES:
        raise data_error(
            f"{file.name}: the target {name!r} is {words[codes[0]]!r} in every row. A classifier needs at least two "
            "classes."
        )
    if len(classes) > max(MIN_CLASSES, MOST_CLASSES * len(file)):
        raise data_error(
            f"{file.name}: the target {name!r} has {len(classes):,} different values in {len(file):,} rows, so it is "
            "no class. Is spec.data.target the right column? To predict a number, set spec.task to Regression."
        )
    return target


def _check_spellings(file: Table, name: str, codes: Places, used: list[str], words: list[str]) -> None:
    """Refuse labels that are numbers but not finite, many fractions, and yes and no in more than one spelling."""
    folded = {word.casefold() for word in used}
    if folded <= YES_OR_NO and len(folded) > MIN_CLASSES:
        raise data_error(
            f"{file.name}: the target {name!r} spells yes and no in several ways: {listed([repr(w) for w in used])}. "
            "Each spelling would be a class of its own: write it in one way."
        )
    try:
        values = {word: float(word) for word in used}
    except ValueError:
        return  # texts, of which any may be a class
    infinite = [word for word, value in values.items() if math.isinf(value)]
    if infinite:
        row = int(np.flatnonzero(codes == words.index(infinite[0]))[0])
        raise data_error(
            f"{file.name}: the target {name!r} holds {infinite[0]!r} in {file.place(row)}, which is no number that can "
            "be a class. Correct or remove the row."
        )
    fractions = [word for word, value in values.items() if not value.is_integer()]
    if len(fractions) > MOST_FRACTIONS:
        row = int(np.flatnonzero(codes == words.index(fractions[0]))[0])
        raise data_error(
            f"{file.name}: the target {name!r} has {len(fractions):,} different values with fractions, such as "
            f"{fractions[0]} in {file.place(row)}: a quantity, no class. To predict a number, set spec.task to "
            "Regression; else name the column that holds the classes in spec.data.target."
        )


def _check_merged(file: Table, name: str, codes: Places, classes: Mapping[int, Scalar], words: list[str]) -> None:
    """Refuse labels that would count as one class though they may well name two: by leading zeros, or by rounding."""
    first: dict[Scalar, int] = {}
    for code, label in classes.items():
        one, other = words[first.setdefault(label, code)], words[code]
        if one == other or not _is_number(one):
            continue
        if PADDED.match(one) or PADDED.match(other):
            why = f"as numbers both are {label}. If they name one class, write it in one way"
        elif one.lstrip("+-").isdecimal() and other.lstrip("+-").isdecimal() and int(one) != int(other):
            why = "numbers beyond 64 bits are rounded. Write shorter numbers"
        else:
            continue  # 3 and 3.0 are one number
        rows = [file.place(int(np.flatnonzero(codes == place)[0])) for place in (first[label], code)]
        raise data_error(
            f"{file.name}: the target {name!r} holds {one!r} in {rows[0]} and {other!r} in {rows[1]}, which would "
            f"count as one class: {why}; if they are codes of several classes, put a letter before each, such as "
            f"{'c' + one!r}."
        )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def as_texts(labels: Iterable[Scalar]) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Spell labels as ``label_text`` does, so that those of different origin compare."""
    texts = [label_text(label) for label in labels]
    spelled = np.empty(len(texts), dtype=np.object_)
    spelled[:] = texts
    return spelled


def _typed(cells: list[str]) -> Labels:
    whole = [_whole(cell) for cell in cells]
    if None not in whole:
        return np.array(whole, dtype=np.int64)
    if {cell.lower() for cell in cells} <= BOOLEANS:
        return as_texts(cell.lower() for cell in cells)  # pandas writes True, JSON true: one spelling for both
    try:
        return as_texts(float(cell) for cell in cells)
    except ValueError:
        return as_texts(cells)


def _whole(text: str) -> int | None:
    """``3``, ``3.0`` and ``3e0`` are 3."""
    try:
        value = float(text)
        number = int(text) if text.lstrip("+-").isdecimal() else int(value)
    except (ValueError, OverflowError):
        return None
    return number if value.is_integer() and -INT64 <= number < INT64 else None
