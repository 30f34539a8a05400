"""Targets that are no classes, or rows that cannot be split."""

from __future__ import annotations

from tests.data.bad.case import BadData, invalid, undeclarable
from tests.data.bad.good_table import as_csv, cells, column, rows

IDS = {"source": {"id_column": "id"}}

WRONG_TARGETS: tuple[BadData, ...] = (
    invalid(
        "the target is missing",
        lambda: as_csv([{k: v for k, v in row.items() if k != "class"} for row in rows()]),
        "no column 'class', which spec.data.target names",
        "id, age, income, colour",
    ),
    invalid(
        "the target is constant",
        column("class", lambda _: "high"),
        "'class' is 'high' in every row",
        "at least two classes",
        **IDS,
    ),
    invalid(
        "the target is missing in most rows",
        column("class", lambda p: "" if p % 4 else "high"),
        "'class' has no value in 45 of 60 rows: row 2 (line 3)",
        "Remove these rows or label them",
        **IDS,
    ),
    invalid("a label is NaN", cells("class", {11: "NaN"}), "row 12 (line 13)", "label", **IDS),
    invalid("a label is of spaces", cells("class", {11: "  "}), "row 12 (line 13)", **IDS),
    invalid("a label is null", cells("class", {11: "NULL"}), "row 12 (line 13)", **IDS),
    invalid(
        "labels are unique ids",
        column("class", lambda p: f"customer {p}"),
        "60 different values in 60 rows",
        "spec.data.target",
        **IDS,
    ),
    invalid(
        "labels are measurements",
        column("class", lambda p: p / 7),
        "51 different values with fractions",
        "row 2 (line 3)",
        "set spec.task to Regression",
        **IDS,
    ),
    invalid(
        "labels are measurements, each twice",
        column("class", lambda p: p // 2 / 7),
        "'class'",
        "values with fractions",
        "row 3 (line 4)",
        "set spec.task to Regression",
        **IDS,
    ),
    invalid(
        "labels are codes with leading zeros",
        column("class", lambda p: ("007", "07", "8")[p % 3]),
        "'007' in row 1 (line 2) and '07' in row 2 (line 3)",
        "count as one class",
        "put a letter before each",
        **IDS,
    ),
    invalid(
        "a label is infinite",
        column("class", lambda p: "inf" if p == 11 else p % 2),
        "'class'",
        "row 12 (line 13)",
        **IDS,
    ),
    invalid(
        "a label beyond double precision",
        column("class", lambda p: "1e400" if p == 11 else p % 2),
        "'class'",
        "row 12 (line 13)",
        **IDS,
    ),
    invalid(
        "booleans are spelled in several ways",
        column("class", lambda p: ("true", "yes", "1", "false", "no", "0")[p % 6]),
        "'class'",
        "spells yes and no in several ways",
        "in one way",
        **IDS,
    ),
    invalid(
        "an idColumn with one value twice",
        cells("id", {11: "r1"}),
        "'r1' in row 1 (line 2) and in row 12 (line 13)",
        "Make ids unique",
        **IDS,
    ),
    invalid("an idColumn with a gap", cells("id", {11: ""}), "'id' is empty in row 12 (line 13)", "needs an id", **IDS),
    invalid("an idColumn of one value", column("id", lambda _: "x"), "1 different ids in 60 rows", **IDS),
    invalid(
        "an idColumn that is not there",
        lambda: as_csv(rows()),
        "no column 'iid', which spec.data.idColumn",
        "Did you mean 'id'?",
        source={"id_column": "iid"},
    ),
    invalid(
        "a holdout of nothing",
        lambda: as_csv(rows(20)),
        "none of 20 rows fell into the held-out",
        "spec.data.holdout.fraction",
        source={"holdout_fraction": 1e-6},
    ),
    invalid(
        "a holdout of everything",
        lambda: as_csv(rows(20)),
        "held out",
        "spec.data.holdout.fraction",
        source={"holdout_fraction": 0.999999},
    ),
    invalid(
        "all rows are copies of held-out ones",
        lambda: as_csv(
            [
                row | {"age": n % 2, "income": n % 2, "colour": "red", "class": "ab"[n % 2]}
                for n, row in enumerate(rows())
            ]
        ),
        "copies of held-out rows",
        "drop spec.data.idColumn",
        **IDS,
    ),
    invalid("all rows are one row", lambda: as_csv([rows()[0]] * 60), "every row"),
    undeclarable(
        "the target among the features", "names the target 'class'", "copy", source={"features": ("age", "class")}
    ),
    undeclarable(
        "the idColumn among the features",
        "names the idColumn 'id'",
        source={"features": ("age", "id"), "id_column": "id"},
    ),
    undeclarable("the target as idColumn", "spec.data.idColumn", "'class'", source={"id_column": "class"}),
)
