"""Declared steps follow one another, the default ones are sensible, and all are served as they were fitted."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import Column, ColumnKind, FailureReason, LabelledRecord, ModelFormat, PreprocessingStep, Task
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import Dataset, read_dataset
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.train.defaults import default_steps
from evermodel_runtime.train.job import train
from evermodel_runtime.train.pipeline import make_recipe, table
from evermodel_runtime.train.transformers import make_transformer

TABLE = [
    row
    | {
        "height": "" if place % 9 == 0 else row["height"],
        "size": ["small", "large", "", "huge"][place % 4],
        "petals": place % 6,
        "age": round(abs(row["width"]) * 100),
    }
    for place, row in enumerate(make_table(600))
]
SOURCE = make_source(id_column="id", features=("height", "width", "colour", "size", "petals", "age"))


def step(transformer: str, *columns: str, **parameters: Any) -> PreprocessingStep:
    return PreprocessingStep(transformer=transformer, columns=columns, parameters=parameters)


FILL = step("SimpleImputer", "dtype:number", strategy="median")
ENCODE = step("OneHotEncoder", "dtype:text")


def trained(*steps: PreprocessingStep, estimator: str = "LogisticRegression", **changes: Any) -> tuple[Any, MemoryHub]:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(TABLE)})
    run = make_train_run(**({"data": SOURCE, "estimator": estimator, "preprocessing": steps} | changes))
    return train(run, surroundings(hub)), hub


STEPS = [
    pytest.param((), id="default steps"),
    pytest.param((FILL, ENCODE, step("StandardScaler", "height", "width")), id="StandardScaler"),
    pytest.param((step("StandardScaler", "height"), FILL, ENCODE), id="scaled before it is filled"),
    pytest.param((FILL, ENCODE, step("MinMaxScaler", "age", feature_range=[-1, 1], clip=True)), id="MinMaxScaler"),
    pytest.param((FILL, ENCODE, step("RobustScaler", "age", "height")), id="RobustScaler"),
    pytest.param((FILL, ENCODE, step("MaxAbsScaler", "dtype:number")), id="MaxAbsScaler over encoded columns too"),
    pytest.param((FILL, ENCODE, step("QuantileTransformer", "age", n_quantiles=50)), id="QuantileTransformer"),
    pytest.param((step("SimpleImputer", "*", strategy="most_frequent"), ENCODE), id="SimpleImputer over everything"),
    pytest.param((FILL, step("OrdinalEncoder", "colour", "size")), id="OrdinalEncoder"),
    pytest.param((FILL, step("OrdinalEncoder", "size"), step("OneHotEncoder", "colour")), id="two encoders"),
    pytest.param((step("StandardScaler", "width"), FILL, step("OrdinalEncoder", "dtype:text")), id="numbers first"),
    pytest.param((FILL, step("OneHotEncoder", "petals", "colour", "size")), id="OneHotEncoder over numbers too"),
    pytest.param((FILL, ENCODE, step("KBinsDiscretizer", "age", n_bins=4)), id="KBinsDiscretizer"),
    pytest.param((FILL, ENCODE, step("KBinsDiscretizer", "age", encode="ordinal")), id="ordinal KBinsDiscretizer"),
    pytest.param((FILL, ENCODE, step("PolynomialFeatures", "height", "width")), id="PolynomialFeatures"),
    pytest.param((FILL, ENCODE, step("PCA", "height", "width", "age", n_components=2)), id="PCA of some"),
    pytest.param((FILL, ENCODE, step("StandardScaler", "*"), step("PCA", "*", n_components=0.9)), id="PCA of all"),
    pytest.param((FILL, ENCODE, step("SelectKBest", "dtype:number", k=4)), id="SelectKBest"),
    pytest.param((FILL, ENCODE, step("SelectKBest", "*", k=3, score_func="mutual_info_classif")), id="another score"),
    pytest.param((FILL, ENCODE, step("VarianceThreshold", "*", threshold=0.1)), id="VarianceThreshold"),
    pytest.param((FILL, ENCODE, step("Normalizer", "height", "width", "age")), id="Normalizer"),
    pytest.param((FILL, ENCODE, step("Normalizer", "*", norm="l1")), id="Normalizer over encoded columns too"),
    pytest.param((FILL, ENCODE, step("Binarizer", "width", threshold=0.1)), id="Binarizer"),
    pytest.param((FILL, ENCODE, step("TruncatedSVD", "*", n_components=3)), id="TruncatedSVD"),
    pytest.param((FILL, step("TargetEncoder", "dtype:text")), id="TargetEncoder"),
    pytest.param(
        (FILL, step("PolynomialFeatures", "height"), step("StandardScaler", "age"), ENCODE), id="named after widened"
    ),
]


@pytest.mark.filterwarnings("ignore:.*converge")
@pytest.mark.parametrize(
    "estimator", ["LogisticRegression", "RandomForestClassifier", "HistGradientBoostingClassifier"]
)
@pytest.mark.parametrize("steps", STEPS)
def test_every_step_is_served_by_onnx_as_it_was_fitted(steps: tuple[PreprocessingStep, ...], estimator: str) -> None:
    report, hub = trained(
        *steps, estimator=estimator, parameters={"max_iter": 50} if estimator[0] in "LH" else {"n_estimators": 31}
    )

    assert (report.format, report.format_reason) == (ModelFormat.ONNX, "")
    assert hub.manifest(report.manifest).columns == tuple(
        Column(name=name, kind=kind, nullable=nullable)
        for name, kind, nullable in zip(
            SOURCE.features,
            [*[ColumnKind.NUMBER] * 2, *[ColumnKind.TEXT] * 2, *[ColumnKind.NUMBER] * 2],
            nullables(steps),
            strict=True,
        )
    )


def test_what_trees_would_get_otherwise_from_onnx_is_served_by_skops() -> None:
    power = (FILL, step("PowerTransformer", "age", "height"), ENCODE)

    assert trained(*power)[0].format is ModelFormat.ONNX
    assert trained(*power, estimator="HistGradientBoostingClassifier")[0].format is ModelFormat.SKOPS


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((step("KNNImputer", "dtype:number", n_neighbors=3), ENCODE), id="numbers filled by neighbours"),
        pytest.param((step("KNNImputer", "petals"), FILL, ENCODE), id="where none was missing yet"),
        pytest.param(
            (FILL, step("OneHotEncoder", "size"), step("TfidfVectorizer", "colour"), step("SelectKBest", "*", k=4)),
            id="words of which the best are chosen",
        ),
        pytest.param((FILL, step("TfidfVectorizer", "dtype:text"), step("TruncatedSVD", "*")), id="words made fewer"),
    ],
)
def test_what_onnx_does_otherwise_is_served_by_skops_to_the_last_bit(steps: tuple[PreprocessingStep, ...]) -> None:
    report, hub = trained(*steps)

    manifest = hub.manifest(report.manifest)
    assert (report.format, manifest.onnx) == (ModelFormat.SKOPS, None)
    again, _ = trained(*steps)
    assert again.manifest == report.manifest


def test_encoding_by_the_target_leaks_nothing_of_a_row_into_itself() -> None:
    """Each row is encoded by the others: a text that is another one nearly everywhere tells nothing."""
    random = np.random.default_rng(0)
    rows = [row | {"colour": f"c{random.integers(200)}", "kind": "ab"[random.integers(2)]} for row in TABLE]
    dataset = dataset_of(rows, step("TargetEncoder", "colour"), step("OrdinalEncoder", "size"), FILL)
    run = make_train_run(
        estimator="LogisticRegression",
        parameters={"C": 1000.0},
        preprocessing=(step("TargetEncoder", "colour"), step("OrdinalEncoder", "size"), FILL),
    )

    pipeline = make_recipe(run, dataset.features.columns).fit(dataset.features, dataset.target.labels)

    asked = table(dataset.features)
    assert np.mean(pipeline.predict(asked) == dataset.target.labels) < 0.6


@pytest.mark.parametrize(
    ("task", "columns"),
    [pytest.param(Task.REGRESSION, 1, id="of whole numbers"), pytest.param(Task.CLASSIFICATION, 6, id="of classes")],
)
def test_a_target_is_encoded_as_what_it_is(task: Task, columns: int) -> None:
    made = make_transformer("TargetEncoder", {}, 0, task=task)

    texts = np.array([[row["colour"]] for row in TABLE], dtype=object)
    assert made.fit(texts, [row["petals"] for row in TABLE]).transform(texts).shape[1] == columns


def test_a_threshold_is_compared_as_the_values_are() -> None:
    binarizer = make_transformer("Binarizer", {"threshold": 0.1}, 0)

    assert binarizer.transform([[float(np.float32(0.1))], [0.11]]).ravel().tolist() == [0.0, 1.0]


def nullables(steps: tuple[PreprocessingStep, ...]) -> list[bool]:
    if not steps:
        return [True, False, False, True, False, False]
    texts = any(step.transformer == "SimpleImputer" and "*" in step.columns for step in steps)
    return [True, True, texts, texts, True, True]


def dataset_of(rows: list[dict[str, Any]], *steps: PreprocessingStep, known: tuple[Column, ...] = ()) -> Dataset:
    return read_dataset(read_csv(as_csv(rows), "flowers.csv", texts=("kind",)), SOURCE, steps, known)


def test_steps_do_what_scikit_learn_does_by_hand() -> None:
    scaled = step("StandardScaler", "height", "age")
    dataset = dataset_of(TABLE, FILL, step("OrdinalEncoder", "size"), step("OneHotEncoder", "colour"), scaled)
    run = make_train_run(preprocessing=(FILL, step("OrdinalEncoder", "size"), step("OneHotEncoder", "colour"), scaled))

    pipeline = make_recipe(run, dataset.features.columns).fit(dataset.features, dataset.target.labels)
    matrix = pipeline[:-1].transform(table(dataset.features))

    height = np.array([np.nan if row["height"] == "" else row["height"] for row in TABLE], np.float32).astype(float)
    height[np.isnan(height)] = np.nanmedian(height)
    age = np.array([row["age"] for row in TABLE], float)
    assert matrix[:, 0] == pytest.approx((height - height.mean()) / height.std())
    assert matrix[:, 1] == pytest.approx((age - age.mean()) / age.std())
    sizes = sorted({row["size"] for row in TABLE})
    assert matrix[:, 4].tolist() == [sizes.index(row["size"]) for row in TABLE]
    colours = sorted({row["colour"] for row in TABLE})
    assert matrix[:, 5:].argmax(axis=1).tolist() == [colours.index(row["colour"]) for row in TABLE]


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        pytest.param(
            "LogisticRegression",
            [
                ("SimpleImputer", "height"),
                ("SimpleImputer", "size"),
                ("OneHotEncoder", "colour"),
                ("StandardScaler", "height"),
            ],
            id="scaled for a linear model",
        ),
        pytest.param(
            "RandomForestClassifier",
            [("SimpleImputer", "height"), ("SimpleImputer", "size"), ("OneHotEncoder", "colour")],
            id="not scaled for trees",
        ),
    ],
)
def test_the_default_steps_fill_encode_and_scale(estimator: str, expected: list[tuple[str, str]]) -> None:
    steps = default_steps(dataset_of(TABLE).features, estimator)

    assert [(step.transformer, step.columns[0]) for step in steps] == expected


def test_a_run_says_and_records_what_its_default_steps_were() -> None:
    report, hub = trained()

    manifest = hub.manifest(report.manifest)
    assert report.notes[0].startswith(
        "No preprocessing is declared: missing values of height are filled with the median"
    )
    assert [step.transformer for step in manifest.preprocessing][-1] == "StandardScaler"


def test_numbers_alone_for_trees_need_no_step() -> None:
    numbers = read_dataset(read_csv(as_csv(make_numbers()), "f"), make_source())

    assert default_steps(numbers.features, "RandomForestClassifier") == ()


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        pytest.param(
            (FILL, step("PCA", "colour")), "preprocessing[1]: PCA cannot transform 'colour'", id="PCA of text"
        ),
        pytest.param((FILL, ENCODE, step("OrdinalEncoder", "age")), "is for text, and 'age' is a number", id="no text"),
        pytest.param(
            (FILL,), "Column 'colour' of hub://flowers.csv is text (row 1 (line 2)", id="text that no step encodes"
        ),
        pytest.param((FILL, ENCODE, ENCODE), None, id="a selector of nothing more"),
        pytest.param(
            (FILL, ENCODE, step("StandardScaler", "colour")),
            "preprocessing[2].columns: an earlier step made other columns of 'colour'",
            id="a text by name after it was encoded",
        ),
        pytest.param(
            (FILL, step("PCA", "age", "width"), ENCODE, step("StandardScaler", "age")),
            "an earlier step made other columns of 'age'",
            id="a number by name after it was replaced",
        ),
        pytest.param(
            (FILL, step("OneHotEncoder", "colour"), step("PCA", "dtype:number"), step("OneHotEncoder", "size")),
            "while 'size' is still text",
            id="encoded columns before all text is encoded",
        ),
        pytest.param(
            (ENCODE,), "column 'height' has no value in 67 of 600 rows", id="missing values that nothing fills"
        ),
        pytest.param((ENCODE, step("PCA", "height"), FILL), "'height' has no value", id="filled too late"),
    ],
)
def test_steps_that_cannot_follow_one_another_are_told(steps: tuple[PreprocessingStep, ...], words: str | None) -> None:
    if words is None:
        trained(*steps)
        return
    with pytest.raises(JobError) as failure:
        trained(*steps)

    assert words in failure.value.message


def test_free_text_is_not_one_hot_encoded_unasked() -> None:
    rows = [row | {"size": f"about {place} cm"} for place, row in enumerate(TABLE)]

    with pytest.raises(JobError, match=r"'size' holds 600 different texts in 600 rows.*at most 255") as failure:
        default_steps(dataset_of(rows).features, "LogisticRegression")

    assert failure.value.reason is FailureReason.SPEC_INVALID


KNOWN = (
    Column(name="height", kind=ColumnKind.NUMBER, nullable=True),
    Column(name="width", kind=ColumnKind.NUMBER),
    Column(name="colour", kind=ColumnKind.TEXT),
)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param(
            [{name: row[name] for name in row if name != "width"} for row in TABLE],
            "no column 'width' any more, which the champion was trained on",
            id="a column that disappeared",
        ),
        pytest.param(
            [row | {"width": "wide"} for row in TABLE],
            "column 'width' was a number when the champion was trained; now row 1 (line 2) holds 'wide'",
            id="a number that became text",
        ),
    ],
)
def test_a_source_that_changed_its_columns_is_told(rows: list[dict[str, Any]], words: str) -> None:
    source = msgspec.structs.replace(SOURCE, features=())

    with pytest.raises(JobError) as failure:
        read_dataset(read_csv(as_csv(rows), "flowers.csv"), source, (), KNOWN)

    assert failure.value.reason is FailureReason.DATA_INVALID
    assert words in failure.value.message


def test_a_later_version_takes_what_the_champion_took() -> None:
    everything = msgspec.structs.replace(SOURCE, features=())
    hub = MemoryHub(datasets={"flowers.csv": as_csv([{n: r[n] for n in r if n != "age"} for r in TABLE])})
    run = make_train_run(data=everything, estimator="LogisticRegression")
    first = train(run, surroundings(hub)).manifest
    complete = [row | {"height": row["height"] or 1, "colour": place % 3} for place, row in enumerate(TABLE)]
    hub.datasets["flowers.csv"] = as_csv(complete)

    report = train(msgspec.structs.replace(run, version=2, champion=first), surroundings(hub))

    assert hub.manifest(report.manifest).columns == hub.manifest(first).columns
    assert any(note.startswith("Columns age are new") for note in report.notes)


def test_feedback_with_missing_values_is_learnt_from() -> None:
    records = tuple(
        LabelledRecord(seq=n + 1, version=1, predicted_at=1.0, row=row, label="rose")
        for n, row in enumerate(
            [(None, 0.5, "red", None, 3.0, 7.0), (1.0, None, "red", "small", 3.0, 7.0), (1.0, 1.0, "red", "", 3.0, 7.0)]
        )
    )
    taken = {1: dataset_of(TABLE).features.columns}
    hub = MemoryHub(datasets={"flowers.csv": as_csv(TABLE)}, labelled=records, taken=taken)

    report = train(make_train_run(data=SOURCE, estimator="LogisticRegression", feedback_through=3), surroundings(hub))

    assert report.feedback_rows == 2, "the one without a width is left out: no row of the source lacks it"


@pytest.mark.parametrize(
    ("number", "warned"),
    [
        pytest.param(lambda place: 1_790_000_000_000 + place * 1_000, True, id="milliseconds since 1970"),
        pytest.param(lambda place: 20_000_001 + place, True, id="numbers of customers"),
        pytest.param(lambda place: 0.1 + place / 7, False, id="fractions"),
        pytest.param(lambda place: 1e9 if place % 2 else 1e-9, False, id="large and small"),
        pytest.param(lambda place: 10_000_001 + place, False, id="whole numbers that are kept"),
        pytest.param(lambda place: None if place % 3 else 1.5, False, id="one number and missing ones"),
    ],
)
def test_numbers_that_32_bits_do_not_tell_apart_are_warned_of(
    number: Callable[[int], float | None], *, warned: bool
) -> None:
    rows = [row | {"at": number(place)} for place, row in enumerate(make_numbers(600))]
    hub = MemoryHub(datasets={"flowers.csv": as_csv([{"at": row.pop("at"), **row} for row in rows])})

    report = train(make_train_run(), surroundings(hub))

    told = [note for note in report.notes if note.startswith("Warning: numbers of 'at' differ by less than 32-bit")]
    assert bool(told) == warned


@pytest.mark.parametrize(("rare", "warned"), [pytest.param(30, True, id="95 %"), pytest.param(90, False, id="85 %")])
def test_accuracy_over_a_large_majority_is_warned_of(rare: int, *, warned: bool) -> None:
    rows = [row | {"kind": "tulip" if place < rare else "rose"} for place, row in enumerate(make_numbers(600))]
    hub = MemoryHub(datasets={"flowers.csv": as_csv(rows)})

    report = train(make_train_run(), surroundings(hub))

    assert any("95.0% of the labels are 'rose'" in note for note in report.notes) is warned
