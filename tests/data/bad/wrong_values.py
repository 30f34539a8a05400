"""Features whose cells are not what a model can learn from."""

from __future__ import annotations

from tests.data.bad.case import BadData, invalid, rejected, undeclarable
from tests.data.bad.good_table import as_csv, cells, changed, column, rows

from evermodel.contract import PreprocessingStep

SCALE = PreprocessingStep(transformer="StandardScaler", columns=("age",))
ENCODE = PreprocessingStep(transformer="OneHotEncoder", columns=("colour",))
NO_ID = {"source": {"id_column": "id"}}


WRONG_VALUES: tuple[BadData, ...] = (
    invalid(
        "an infinite number",
        cells("age", {11: "inf"}),
        "column 'age' holds 'inf' in row 12 (line 13)",
        "finite",
        "leave them empty",
        **NO_ID,
    ),
    invalid("minus infinity, spelled out", cells("age", {11: "-Infinity"}), "'age'", "row 12 (line 13)", **NO_ID),
    invalid(
        "a number beyond double precision",
        cells("age", {11: "1e400"}),
        "'age' holds",
        "row 12 (line 13)",
        "32-bit",
        **NO_ID,
    ),
    invalid(
        "a number beyond single precision",
        cells("age", {11: "-1e39"}),
        "'age' holds '-1e+39'",
        "row 12 (line 13)",
        "32-bit",
        **NO_ID,
    ),
    invalid(
        "text in one row of numbers",
        cells("age", {11: "about 30"}),
        "'age' is a number in 59 of 60 rows",
        "row 12 (line 13) holds 'about 30'",
        "Correct",
        **NO_ID,
    ),
    invalid(
        "text in a third of the rows of numbers",
        changed(lambda p, _: {"age": "old"} if p % 3 == 0 else {}),
        "'age' is a number in 40 of 60 rows",
        "row 1 (line 2) holds 'old' (and 19 more rows likewise)",
        **NO_ID,
    ),
    invalid(
        "thousand separators",
        column("income", lambda p: f"{1000 + p * 37:,}"),
        "'income'",
        "'1,000'",
        "row 1 (line 2)",
        "thousand",
        **NO_ID,
    ),
    invalid(
        "thousand separators in some rows",
        column("income", lambda p: f"{700 + p * 37:,}"),
        "'income'",
        "row 10 (line 11)",
        "'1,033'",
        **NO_ID,
    ),
    invalid(
        "decimal commas",
        lambda: as_csv([row | {"income": f"{row['income']}".replace(".", ",")} for row in rows()], ";"),
        "'income'",
        "row 1 (line 2)",
        "decimal",
        **NO_ID,
    ),
    invalid(
        "currency signs",
        column("income", lambda p: f"${p * 37}.50"),
        "'income'",
        "'$0.50'",
        "row 1 (line 2)",
        "currency",
        **NO_ID,
    ),
    invalid(
        "numbers with a mark for what is missing in most rows",
        column("income", lambda p: "n.m." if p % 3 else f"{p * 37}.50"),
        "'income'",
        "row 2 (line 3) holds 'n.m.'",
        "leave these cells empty",
        **NO_ID,
    ),
    invalid(
        "percent signs",
        column("income", lambda p: f"{p}%"),
        "'income'",
        "'0%'",
        "row 1 (line 2)",
        "percentages",
        **NO_ID,
    ),
    invalid("hexadecimal among numbers", cells("age", {11: "0x1f"}), "'age'", "row 12 (line 13) holds '0x1f'", **NO_ID),
    invalid("a Unicode minus sign", cells("age", {11: "\u22125"}), "'age'", "row 12 (line 13)", **NO_ID),
    invalid("a no-break space within a number", cells("age", {11: "1\u00a0000"}), "'age'", "row 12 (line 13)", **NO_ID),
    invalid(
        "a feature without any value", column("age", lambda _: ""), "'age' has no values", "spec.data.features", **NO_ID
    ),
    invalid("a feature of spaces", column("age", lambda _: "   "), "'age' has no values", **NO_ID),
    invalid(
        "a feature spelled as missing in every way",
        column("age", lambda p: ("NA", "n/a", "NULL", "None", "?", "#N/A", "<NA>", "-nan")[p % 8]),
        "'age' has no values",
        **NO_ID,
    ),
    invalid(
        "a missing number that no step fills",
        cells("age", {11: ""}),
        "'age' has no value in 1 of 60 rows: row 12 (line 13)",
        "SimpleImputer",
        source={"id_column": "id"},
        run={"preprocessing": (SCALE, ENCODE)},
    ),
    undeclarable(
        "free text",
        "'colour'",
        "different texts",
        "OneHotEncoder",
        make=column("colour", lambda p: f"a long story, number {p}", 900),
        **NO_ID,
    ),
    undeclarable("ids as a feature", "'id'", "different texts", "spec.data.features", make=lambda: as_csv(rows(600))),
    invalid(
        "constant features",
        changed(lambda _p, _r: {"age": 1, "income": 2, "colour": "red"}),
        "same values in all features (age, income, colour)",
        "spec.data.features",
        **NO_ID,
    ),
    invalid(
        "all rows identical but their label",
        lambda: as_csv([{"age": 1, "income": 2, "class": "ab"[n % 2]} for n in range(60)]),
        "same values in all features (age, income)",
    ),
    invalid(
        "a hundred thousand columns", lambda: _wide(100_000), "100,000 columns to learn from", "spec.data.features"
    ),
    rejected(
        "features of noise",
        changed(
            lambda p, _: {
                "age": p * 7 % 11,
                "income": p * 5 % 13,
                "colour": "red",
                "class": ("low", "low", "high")[p * p * 31 % 7 % 3],
            },
            400,
        ),
        "reference rows is no better than the most frequent class",
        **NO_ID,
    ),
    rejected(
        "shuffled labels",
        changed(lambda p, _: {"class": ("low", "high")[p * 2654435761 >> 7 & 1]}, 400),
        "reference rows is",
        **NO_ID,
    ),
    undeclarable(
        "text without a step that encodes it",
        "'colour'",
        "{transformer: OneHotEncoder, columns: [colour]}",
        source={"id_column": "id"},
        run={"preprocessing": (SCALE,)},
    ),
)


def _wide(width: int) -> bytes:
    header = ",".join([*(f"x{place}" for place in range(width)), "class"])
    line = ",".join("1" for _ in range(width))
    return "\n".join([header, *(f"{line},{'ab'[number % 2]}" for number in range(24)), ""]).encode()
