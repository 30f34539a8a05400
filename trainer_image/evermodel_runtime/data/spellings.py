"""Numbers and times that are spelled so that they come as text: said, before each spelling becomes a category."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evermodel_runtime.data.columns import words_of
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


def refuse_numbers_as_text(table: Table, name: str) -> None:
    """Refuse a column of text, nearly all of whose cells are numbers in a spelling that is not read.

    Raises
    ------
    JobError
        DataInvalid, with a row and what to write instead.
    """
    if table.columns[name].type != TEXT:
        return
    codes, words = words_of(table, name)
    found = _spelling([word.strip() for word in words])
    if found is None:
        return
    pattern, advice = found
    place, word = next(
        (place, words[code])
        for place, code in enumerate(codes.tolist())
        if pattern.fullmatch(words[code].strip()) and not _is_plain(words[code])
    )
    raise data_error(
        f"{table.name}: column {name!r} is text, since {table.place(place)} holds {word!r}; these look like "
        f"{advice}. If they are categories, name the column in a OneHotEncoder step of spec.training.preprocessing."
    )


def _spelling(words: Sequence[str]) -> tuple[re.Pattern[str], str] | None:
    filled = [word for word in words if word]
    if len(filled) <= FEW:
        return None
    for pattern, advice in SPELLINGS:
        if sum(pattern.fullmatch(word) is not None for word in filled) >= MOST * len(filled):
            return pattern, advice
    return None


def _is_plain(word: str) -> bool:
    return re.fullmatch(_PLAIN, word.strip()) is not None
