"""Numbers and times that are spelled so that they come as text: said, before each spelling becomes a category."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from evermodel_runtime.data.columns import words_of
from evermodel_runtime.data.csvarrow import MISSING, is_number
from evermodel_runtime.data.failure import data_error
from evermodel_runtime.data.table import TEXT, Table

MOST = 0.9
"""Share of the different texts of a column that one spelling has to explain."""
FEW = 10
"""Different texts up to which they may well be categories: 10 %, 20 %, 50 %."""
_GROUPED = r"[+-]?\d{1,3}(?:[,'\u00a0\u202f ]\d{3})+(?:\.\d+)?"
_COMMA = r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+"
_PLAIN = r"[+-]?\d+(?:\.\d+)?"
_NUMBER = rf"(?:{_GROUPED}|{_COMMA}|{_PLAIN})"
SPELLINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"[€$£¥]\s?{_NUMBER}|{_NUMBER}\s?[€$£¥]"), "amounts with a currency sign: write the number alone"),
    (re.compile(rf"{_NUMBER}\s?%"), "percentages: write the number alone"),
    (
        re.compile(rf"{_GROUPED}|{_PLAIN}"),
        "numbers with separators between thousands: write them without, such as 1234.5",
    ),
    (re.compile(rf"{_COMMA}|{_PLAIN}"), "numbers with a decimal comma: write them with a point, such as 1234.5"),
)
MARKED = "most other values are numbers. If it stands for a missing value, leave these cells empty"


def refuse_numbers_as_text(table: Table, name: str) -> None:
    """Refuse a column of text, nearly all of whose different texts are numbers, plain ones or in another spelling.

    Raises
    ------
    JobError
        DataInvalid, with a row and what to write instead.
    """
    if table.columns[name].type != TEXT:
        return
    codes, words = words_of(table, name)
    words = [word.strip() for word in words]
    filled = {word for word in words if word.lower() not in MISSING}
    if len(filled) <= FEW:
        return
    explained, advice = _explained(filled)
    if not explained:
        return
    place = next(place for place, code in enumerate(codes.tolist()) if words[code] in explained)
    raise data_error(
        f"{table.name}: column {name!r} is text, since {table.place(place)} holds {words[codes[place]]!r}; {advice}. "
        "If they are categories, name the column in a OneHotEncoder step of spec.training.preprocessing."
    )


def _explained(words: AbstractSet[str]) -> tuple[AbstractSet[str], str]:
    """Return the texts that make a column one of text though it was meant to be one of numbers, and what to do."""
    plain = {word for word in words if is_number(word)}
    for pattern, advice in SPELLINGS:
        spelled = {word for word in words if pattern.fullmatch(word) is not None}
        if len(spelled) >= MOST * len(words) and (odd := spelled - plain):
            return odd, f"these look like {advice}"
    if len(plain) >= MOST * len(words):
        return words - plain, MARKED
    return frozenset(), ""
