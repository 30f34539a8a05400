"""Columns of dates become their parts, alike from CSV, Parquet and requests, and a bad date names its cell."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.unit.runtime.made_runs import as_csv, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, as_page, as_records, surroundings

from evermodel.contract import Column, ColumnKind, FailureReason, ModelFormat, PreprocessingStep
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.data.dataset import read_features
from evermodel_runtime.data.dates import canonical
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.feedback import read_feedback
from evermodel_runtime.data.formats import read_table
from evermodel_runtime.train.date_parts import PARTS, DateParts
from evermodel_runtime.train.job import train

START = dt.datetime(2024, 12, 28, 5, 30, 15, tzinfo=dt.UTC)
MOMENTS = [START + dt.timedelta(hours=7 * place) for place in range(240)]
SALES = [
    {"id": f"s{place}", "amount": place % 17, "sold": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "kind": kind}
    for place, moment in enumerate(MOMENTS)
    for kind in ["weekend" if moment.weekday() > 4 else "weekday"]
]
SOURCE = make_source(uri="hub://sales.csv", id_column="id", features=("amount", "sold"))
DATE = Column(name="sold", kind=ColumnKind.DATE)


def step(transformer: str, *columns: str, **parameters: Any) -> PreprocessingStep:
    return PreprocessingStep(transformer=transformer, columns=columns, parameters=parameters)


PARTED = step("DateParts", "sold")


def trained(*steps: PreprocessingStep, rows: Any = SALES, **changes: Any) -> tuple[Any, MemoryHub]:
    hub = MemoryHub(datasets={"sales.csv": as_csv(rows)})
    declared = {"data": SOURCE, "estimator": "RandomForestClassifier", "preprocessing": steps}
    return train(make_train_run(**(declared | changes)), surroundings(hub)), hub


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-01-31", "2026-01-31T00:00:00", id="a day"),
        pytest.param("2026-01-31 08:30", "2026-01-31T08:30:00", id="a space, no seconds"),
        pytest.param("2026-01-31T08:30:59.999Z", "2026-01-31T08:30:59", id="UTC, parts of a second"),
        pytest.param("2026-01-31T23:30:00-02:00", "2026-02-01T01:30:00", id="an offset"),
        pytest.param("2026-01-31T08:30:59.123456789+0000", "2026-01-31T08:30:59", id="nanoseconds"),
        pytest.param("0001-01-01T00:00:00+14:00", None, id="before the first year in UTC"),
        pytest.param("2026-02-30", None, id="no such day"),
        pytest.param("31.01.2026", None, id="another order"),
        pytest.param("20260131", None, id="a number"),
        pytest.param("2026-01", None, id="no day"),
        pytest.param("2026-01-31T25:00", None, id="no such hour"),
        pytest.param("２０２６-01-31", None, id="digits of another script"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_moment_has_one_spelling(text: str, expected: str | None) -> None:
    assert canonical(text) == expected


def test_the_parts_are_those_of_the_calendar() -> None:
    texts = [moment.strftime("%Y-%m-%dT%H:%M:%S") for moment in MOMENTS] + ["1899-02-28", "2000-12-31"]
    known = [*MOMENTS, dt.datetime(1899, 2, 28, tzinfo=dt.UTC), dt.datetime(2000, 12, 31, tzinfo=dt.UTC)]

    made = DateParts(PARTS).fit_transform(np.array([*texts, ""], object).reshape(-1, 1))

    expected = [
        [
            *(one.year, (one.month + 2) // 3, one.month, one.day, one.weekday(), one.timetuple().tm_yday),
            *(one.hour, one.minute, one.second),
        ]
        for one in known
    ]
    assert made[:-1].tolist() == expected
    assert np.isnan(made[-1]).all()


def test_cyclic_parts_put_december_beside_january() -> None:
    months = np.array([[f"2025-{month:02}-15"] for month in range(1, 13)], object)

    year, sine, cosine = DateParts(["year", "month"], cyclic=True).fit_transform(months).T

    assert set(year.tolist()) == {2025.0}
    gaps = np.hypot(np.diff([*sine, sine[0]]), np.diff([*cosine, cosine[0]]))
    assert gaps == pytest.approx(np.full(12, gaps[0]))


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((PARTED,), id="by name"),
        pytest.param((step("DateParts", "dtype:date", parts=["dayofweek"]),), id="all dates"),
        pytest.param((step("DateParts", "dtype:date", cyclic=True), step("StandardScaler", "*")), id="scaled"),
        pytest.param((), id="nothing declared"),
    ],
)
def test_dates_are_learnt_from_and_served_by_skops_as_they_were_fitted(steps: tuple[PreprocessingStep, ...]) -> None:
    report, hub = trained(*steps)

    manifest = hub.manifest(report.manifest)
    assert report.format is ModelFormat.SKOPS
    assert [column.kind for column in manifest.columns] == [ColumnKind.NUMBER, ColumnKind.DATE]
    week = np.array([f"2025-06-{day:02}T12:00:00" for day in range(9, 16)], object)
    answers = load_model(hub, report.manifest).scorer.predict([np.full(7, 3, np.float32), week])
    assert answers.tolist() == ["weekday"] * 5 + ["weekend"] * 2


def test_a_run_without_steps_says_what_it_made_of_the_dates() -> None:
    report, hub = trained(estimator="LogisticRegression")

    assert "dates of sold are taken apart into year, month, day, dayofweek, hour" in report.notes[0]
    assert "all columns made so are scaled" in report.notes[0]
    assert [one.transformer for one in hub.manifest(report.manifest).preprocessing] == ["DateParts", "StandardScaler"]


def test_days_alone_make_no_hours() -> None:
    report, _ = trained(rows=[row | {"sold": str(row["sold"])[:10]} for row in SALES])

    assert report.notes[0].endswith("dates of sold are taken apart into year, month, day, dayofweek.")


@pytest.mark.parametrize(
    ("steps", "changed", "words"),
    [
        pytest.param(
            (PARTED,), "31.01.2026", "'sold' holds dates, but row 8 (line 9) holds '31.01.2026'", id="declared"
        ),
        pytest.param((), "soon", "'sold' holds dates, but row 8 (line 9) holds 'soon'", id="found"),
        pytest.param((PARTED,), "2026-02-30", "holds '2026-02-30', which is none", id="no such day"),
        pytest.param(
            (PARTED,), "", "'sold' has no value in 1 of 240 rows: row 8 (line 9)", id="missing, and not filled"
        ),
    ],
)
def test_a_bad_date_names_column_row_and_value(steps: tuple[PreprocessingStep, ...], changed: str, words: str) -> None:
    rows = [row | {"sold": changed} if place == 7 else row for place, row in enumerate(SALES)]

    with pytest.raises(JobError) as failure:
        trained(*steps, rows=rows)

    assert failure.value.reason is FailureReason.DATA_INVALID
    assert words in failure.value.message


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((step("SimpleImputer", "sold", strategy="most_frequent"), PARTED), id="before the parts"),
        pytest.param((PARTED, step("SimpleImputer", "dtype:number", strategy="median")), id="after the parts"),
        pytest.param((), id="by default"),
    ],
)
def test_a_missing_date_is_filled_where_an_imputer_says_so(steps: tuple[PreprocessingStep, ...]) -> None:
    rows = [row | {"sold": ""} if place % 9 == 0 else row for place, row in enumerate(SALES)]

    report, hub = trained(*steps, rows=rows, estimator="LogisticRegression")

    assert hub.manifest(report.manifest).columns[1].nullable
    answers = load_model(hub, report.manifest).scorer.predict([np.full(1, 3, np.float32), np.array([""], object)])
    assert answers[0] in {"weekday", "weekend"}


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        pytest.param((step("DateParts", "amount"), PARTED), "DateParts cannot transform 'amount'", id="a number"),
        pytest.param((step("DateParts", "sold", parts=["week"]),), "parts: 'week' is no part of a date", id="no part"),
        pytest.param((step("DateParts", "sold", parts=[]),), "parts: names no part of a date", id="no parts"),
        pytest.param((step("DateParts", "sold", cyclic="yes"),), "parameters.cyclic", id="no boolean"),
        pytest.param((step("StandardScaler", "sold"), PARTED), "'sold', which is a date. Use DateParts", id="scaled"),
        pytest.param((step("OneHotEncoder", "dtype:text"), PARTED), None, id="another kind's step"),
    ],
)
def test_what_does_not_go_with_dates_is_told(steps: tuple[PreprocessingStep, ...], words: str | None) -> None:
    if words is None:
        trained(*steps)
        return
    with pytest.raises(JobError) as failure:
        trained(*steps)

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert words in failure.value.message


BERLIN = dt.timezone(dt.timedelta(hours=2))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.array(MOMENTS, pa.timestamp("us", tz="UTC")), id="timestamps in UTC"),
        pytest.param(pa.array(MOMENTS, pa.timestamp("ns", tz="Europe/Berlin")), id="of a zone"),
        pytest.param(pa.array([one.replace(tzinfo=None) for one in MOMENTS], pa.timestamp("ms")), id="without a zone"),
        pytest.param(pa.array([one.isoformat() for one in MOMENTS]), id="text"),
        pytest.param(pa.array([one.astimezone(BERLIN).isoformat() for one in MOMENTS]), id="text with an offset"),
    ],
)
def test_a_moment_is_one_row_however_a_file_holds_it(values: pa.Array) -> None:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"n": range(len(MOMENTS)), "sold": values}), sink)

    found = read_features(read_table(sink.getvalue(), "sales.parquet"), (DATE,))

    assert found.values[0].tolist() == [one.strftime("%Y-%m-%dT%H:%M:%S") for one in MOMENTS]


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
def test_a_typed_day_is_a_date_and_null_is_a_missing_one(kind: pa.DataType) -> None:
    sink = io.BytesIO()
    days = pa.array([dt.date(2026, 1, 31), None, dt.date(1950, 2, 1)], kind)
    pyarrow.parquet.write_table(pa.table({"n": range(3), "sold": days}), sink)

    found = read_features(
        read_table(sink.getvalue(), "sales.parquet"), (Column(name="sold", kind=ColumnKind.DATE, nullable=True),)
    )

    assert found.values[0].tolist() == ["2026-01-31T00:00:00", "", "1950-02-01T00:00:00"]


def test_a_later_version_takes_dates_where_the_champion_did_and_tells_a_source_that_lost_them() -> None:
    report, hub = trained()
    run = make_train_run(
        data=SOURCE, estimator="RandomForestClassifier", preprocessing=(), version=2, champion=report.manifest
    )
    hub.datasets["sales.csv"] = as_csv([row | {"sold": f"week {place}"} for place, row in enumerate(SALES)])

    with pytest.raises(JobError, match=r"'sold' holds dates, but row 1 \(line 2\) holds 'week 0'"):
        train(run, surroundings(hub))

    hub.datasets["sales.csv"] = as_csv(SALES)
    again = train(run, surroundings(hub))
    assert hub.manifest(again.manifest).columns == hub.manifest(report.manifest).columns


def test_records_have_the_spelling_of_the_source_and_those_without_a_date_are_left_out() -> None:
    rows = [("2026-01-31T10:00:00+02:00",), ("soon",), (None,), ("2026-01-31",)]

    feedback = read_feedback(as_page(as_records(rows, "abcd"), {1: (DATE,)}), (DATE,), None)

    assert feedback.rows.values[0].tolist() == ["2026-01-31T08:00:00", "2026-01-31T00:00:00"]
    assert feedback.unusable == 2


def test_texts_of_which_few_are_alike_are_not_one_hot_encoded_unasked() -> None:
    rows = [row | {"sold": f"receipt {place}"} for place, row in enumerate(SALES[:100])]

    with pytest.raises(JobError, match=r"'sold' holds 100 different texts in 100 rows.*at most 50.*TfidfVectorizer"):
        trained(rows=rows)
