"""Columns of text become columns of words, which are served as they were fitted, whatever a request holds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from tests.unit.runtime.made_runs import as_csv, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import Column, ColumnKind, FailureReason, ModelFormat, PreprocessingStep
from evermodel_runtime.artifacts.foreign_archive import load_foreign
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.artifacts.skops_archive import ArchiveError
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.memory import LIBRARIES, Memory
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.train.job import train
from evermodel_runtime.train.pipeline import recipe_of
from evermodel_runtime.train.transformers import make_transformer
from evermodel_runtime.train.words import check_vocabularies

OPENINGS = {
    "good": ["très agréable", "a lovely stay", "straße quiet, room clean"],
    "bad": ["dirty", "never again", "zu laut"],
}
REVIEWS = [
    {
        "id": f"r{place}",
        "title": "" if place % 7 == 0 else f"{['Sunny', 'Grey'][place % 2]} day {place}",
        "body": f"{OPENINGS[kind][place % 3]}, said guest {place}",
        "stars": 1 + place % 5,
        "kind": kind,
    }
    for place in range(240)
    for kind in [["good", "bad"][place // 3 % 2]]
]
SOURCE = make_source(uri="hub://reviews.csv", id_column="id", features=("stars", "title", "body"))
TEXTS = [
    "très agréable",
    "TRÈS AGRÉABLE",
    "straße",
    "STRASSE",
    "",
    "日本 語",
    "🦊 fox",
    "dirty" * 20_000,
    "lovely " * 50_000,
]


def step(transformer: str, *columns: str, **parameters: Any) -> PreprocessingStep:
    return PreprocessingStep(transformer=transformer, columns=columns, parameters=parameters)


WORDS = step("TfidfVectorizer", "title", "body")


def trained(*steps: PreprocessingStep, **changes: Any) -> tuple[Any, MemoryHub]:
    hub = MemoryHub(datasets={"reviews.csv": as_csv(REVIEWS)})
    declared = {"data": SOURCE, "estimator": "LogisticRegression", "preprocessing": steps}
    return train(make_train_run(**(declared | changes)), surroundings(hub)), hub


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((WORDS,), id="two columns, each with words of its own"),
        pytest.param(
            (step("TfidfVectorizer", "dtype:text", ngram_range=[1, 2], max_features=50),), id="pairs of words"
        ),
        pytest.param(
            (step("SimpleImputer", "title", strategy="constant", fill_value="none"), WORDS), id="filled before"
        ),
        pytest.param((step("CountVectorizer", "title", "body", binary=True),), id="CountVectorizer"),
        pytest.param((step("HashingVectorizer", "title", "body", n_features=64),), id="HashingVectorizer"),
        pytest.param((step("OneHotEncoder", "title"), step("TfidfVectorizer", "body")), id="beside a OneHotEncoder"),
        pytest.param((WORDS, step("StandardScaler", "*"), step("PCA", "*", n_components=5)), id="PCA of the words"),
        pytest.param((step("TfidfVectorizer", "*", analyzer="char_wb", ngram_range=[2, 3]),), id="letters"),
    ],
)
def test_words_are_stored_by_skops_and_served_as_they_were_fitted(steps: tuple[PreprocessingStep, ...]) -> None:
    if "*" in steps[0].columns:
        source = make_source(uri="hub://reviews.csv", id_column="id", features=("title", "body"))
    else:
        source = SOURCE

    report, hub = trained(*steps, data=source)

    assert report.format is ModelFormat.SKOPS
    assert "letters beyond ASCII" in report.format_reason
    scorer = load_model(hub, report.manifest).scorer
    width = len(scorer.manifest.columns) - 2
    labels = scorer.predict(
        [np.full(2, 3, np.float32)] * width
        + [np.array(["", ""], object), np.array(["très agréable, said guest 1", "dirty, said guest 9"], object)]
    )
    assert labels.tolist() == ["good", "bad"]


def test_each_column_of_text_gets_what_scikit_learn_makes_of_it_alone() -> None:
    columns = (Column(name="n", kind=ColumnKind.NUMBER), *(Column(name=n, kind=ColumnKind.TEXT) for n in ("a", "b")))
    texts = [np.array([row[name] for row in REVIEWS], object) for name in ("title", "body")]
    rows = FeatureRows(columns, (np.arange(len(REVIEWS), dtype=np.float32), *texts))
    words = (step("TfidfVectorizer", "a", "b", max_features=20),)
    labels = np.array([row["kind"] for row in REVIEWS], object)

    pipeline = recipe_of(LogisticRegression(), words, columns).fit(rows, labels)

    unseen = FeatureRows(columns, (np.zeros(len(TEXTS), np.float32), *[np.array(TEXTS, object)] * 2))
    got = pipeline[:-1].transform(unseen.arrow())
    alone = [TfidfVectorizer(max_features=20).fit(known).transform(TEXTS).toarray() for known in texts]
    assert got.tolist() == np.column_stack([np.zeros(len(TEXTS)), *alone]).tolist()


def test_a_text_may_be_missing_in_a_request_and_a_category_may_not() -> None:
    report, hub = trained(step("OneHotEncoder", "title"), step("TfidfVectorizer", "body"))

    nullable = {column.name: column.nullable for column in hub.manifest(report.manifest).columns}

    assert nullable == {"stars": False, "title": False, "body": True}


def test_the_log_says_how_many_columns_the_words_make(capsys: pytest.CaptureFixture[str]) -> None:
    trained(step("TfidfVectorizer", "body"), step("CountVectorizer", "title", max_features=5))

    said = capsys.readouterr().out
    assert re.search(r"TfidfVectorizer makes \d{2,3} columns of 'body' \(max_features: 1,000\)", said)
    assert "CountVectorizer makes 5 columns of 'title' (max_features: 5)" in said


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        pytest.param(
            {"ngram_range": [2, 1]}, "parameters.ngram_range: [2, 1] must be [least, most]", id="turned round"
        ),
        pytest.param({"ngram_range": [0, 1]}, "parameters.ngram_range", id="no words at all"),
        pytest.param({"ngram_range": [1, 11]}, "from 1 to 10", id="too many words"),
        pytest.param({"ngram_range": 2}, "parameters.ngram_range: 2 must be", id="a number"),
        pytest.param({"min_df": 5, "max_df": 3}, "max_df: 3 is below min_df, which is 5", id="counts"),
        pytest.param({"min_df": 0.5, "max_df": 0.2}, "max_df: 0.2 is below min_df", id="shares"),
        pytest.param(
            {"min_df": 200, "max_df": 0.1}, "max_df corresponds to < documents than min_df", id="count and share"
        ),
        pytest.param({"min_df": 10_000}, "finds no words in column 'body'", id="words that no row repeats"),
        pytest.param({"token_pattern": "[a-"}, "token_pattern: '[a-' is no regular expression", id="no expression"),
        pytest.param({"token_pattern": r"(\w+\s?)+$"}, "may take for ever", id="a slow expression"),
        pytest.param(
            {"token_pattern": r"[0-9]{30,}"}, "finds no words in column 'body'", id="a pattern that fits nothing"
        ),
        pytest.param({"stop_words": ["a", 1]}, "stop_words: must be english, or a list of words", id="no words"),
        pytest.param({"vocabulary": ["a"]}, "learns its words from the texts", id="words of one's own"),
        pytest.param({"input": "filename"}, "parameters.input: TfidfVectorizer can only be served with", id="files"),
        pytest.param({"tokenizer": "split"}, "parameters.tokenizer", id="a function"),
        pytest.param({"dtype": "float32"}, "parameters.dtype", id="another precision"),
        pytest.param({"max_features": 0}, "parameters.max_features", id="no columns"),
    ],
)
def test_what_scikit_learn_says_only_in_the_fit_is_said_before(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(JobError) as failure:
        trained(step("TfidfVectorizer", "body", **parameters), step("OneHotEncoder", "title"))

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert words in failure.value.message
    assert "spec.training.preprocessing[0]" in failure.value.message


def test_texts_of_stop_words_alone_are_told() -> None:
    words = (step("TfidfVectorizer", "a", stop_words="english"),)
    columns = (Column(name="a", kind=ColumnKind.TEXT),)
    rows = FeatureRows(columns, (np.array(["the", "and of"] * 10, object),))

    with pytest.raises(JobError, match=r"finds no words in column 'a' of 20 rows.*stop words") as failure:
        check_vocabularies(recipe_of(LogisticRegression(), words, columns).pipeline, rows, Memory(1 << 40, "it"))

    assert failure.value.reason is FailureReason.SPEC_INVALID


def test_more_words_than_memory_holds_are_refused_with_size_and_limit() -> None:
    columns = (Column(name="a", kind=ColumnKind.TEXT),)
    rows = FeatureRows(columns, (np.array([f"word{place} other{place}" for place in range(2000)], object),))
    limit = Memory(LIBRARIES + (100 << 20), "this Job's memory limit")
    pipeline = recipe_of(LogisticRegression(), (step("TfidfVectorizer", "a", max_features=None),), columns).pipeline

    with pytest.raises(
        JobError, match=r"matrix of 2,000 rows and 4,000 columns, which takes 61 MiB.*320 MiB"
    ) as failure:
        check_vocabularies(pipeline, rows, limit)

    assert failure.value.reason is FailureReason.OUT_OF_MEMORY
    pipeline = recipe_of(LogisticRegression(), (step("TfidfVectorizer", "a"),), columns).pipeline
    assert check_vocabularies(pipeline, rows, limit) == [
        "TfidfVectorizer makes 1,000 columns of 'a' (max_features: 1,000)."
    ]


def test_texts_of_more_words_than_can_be_counted_are_refused_with_size_and_limit() -> None:
    columns = (Column(name="a", kind=ColumnKind.TEXT),)
    rows = FeatureRows(columns, (np.array(["to be or not to be " * 300] * 1000, object),))
    pipeline = recipe_of(LogisticRegression(), (step("CountVectorizer", "a"),), columns).pipeline

    with pytest.raises(JobError, match=r"preprocessing\[0\]: CountVectorizer counts about 1,800,000 words, .*320 MiB"):
        check_vocabularies(pipeline, rows, Memory(LIBRARIES + (100 << 20), "this Job's memory limit"))

    assert check_vocabularies(pipeline, rows, Memory(LIBRARIES + (200 << 20), "this Job's memory limit"))


def test_all_documents_stay_all_though_kubernetes_writes_them_as_one() -> None:
    made = make_transformer("TfidfVectorizer", {"max_df": 1, "min_df": 1.0}, 0)

    assert (made.max_df, type(made.max_df), made.min_df, type(made.min_df)) == (1.0, float, 1, int)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?u)\b\w\w+\b",
        r"\b\w+\b",
        r"\S+",
        "[a-z]{3,}",
        r"#\w+",
        r"[^\W\d_]+",
        r"\b[a-z-]{2,}\b",
        r"[A-Z]\w+",
        "\\w{3}\\d+",
    ],
)
def test_simple_patterns_are_taken_and_go_over_a_long_text_once(pattern: str) -> None:
    words = make_transformer("TfidfVectorizer", {"token_pattern": pattern}, 0).build_tokenizer()

    for unit in ("a", "1", "a1", "a ", "-", "a-", "#", "ß", "A!"):
        assert len(words(unit * 200_000 + "é!")) <= 400_001, "squared, this would take minutes"


@pytest.mark.parametrize(
    "pattern",
    [r"(a+)+", r"\w+\d", r"\w*\w*x", r"[a-z]+\b", r"(a|aa)+", r"\w+(?:-\w+)*", "a" * 101 + "+", r"(\w)\1+", ".+"],
)
def test_patterns_that_may_go_over_a_text_again_and_again_are_refused(pattern: str) -> None:
    with pytest.raises(JobError, match="may take for ever"):
        make_transformer("CountVectorizer", {"token_pattern": pattern}, 2)


def test_one_model_is_the_same_bytes_however_often_and_wherever_it_is_made() -> None:
    first, hub = trained(WORDS)

    assert first.manifest == trained(WORDS)[0].manifest
    archive = hub.manifest(first.manifest).skops
    assert archive is not None
    assert b"_stop_words_id" not in hub.blob(archive), "an address, which is another in each process"


def test_a_vectoriser_from_elsewhere_is_not_taken() -> None:
    pipeline = Pipeline([("words", TfidfVectorizer(input="filename")), ("estimator", LogisticRegression())])

    with pytest.raises(ArchiveError, match="TfidfVectorizer is not taken from elsewhere"):
        load_foreign(skops.io.dumps(pipeline))
