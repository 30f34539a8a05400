"""The training Job as a whole, with a hub in memory."""

import msgspec
import numpy as np
import pytest
from tests.unit.runtime.made_runs import (
    ENCODE_COLOUR,
    as_csv,
    digits,
    make_numbers,
    make_source,
    make_table,
    make_train_run,
    turned,
)
from tests.unit.runtime.memory_hub import PIXELS, MemoryHub, as_records, numbers, surroundings

from evermodel.contract import FailureReason, LabelledRecord, Manifest, PreprocessingStep
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import read_dataset
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.rows import decode_hashes
from evermodel_runtime.train.job import train

NUMBERS = as_csv(make_numbers(200))
DIGITS = make_source(uri="sklearn://digits?rows=:700", target="target")
FOREST = {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 30}}


def hub_with(records: tuple[LabelledRecord, ...] = (), content: bytes = NUMBERS) -> MemoryHub:
    return MemoryHub(datasets={"flowers.csv": content}, labelled=records)


def flower_records(count: int, **changes: object) -> tuple[LabelledRecord, ...]:
    table = make_numbers(count, seed=5)
    return tuple(
        msgspec.structs.replace(
            LabelledRecord(
                seq=place + 1, version=1, predicted_at=place + 1.0, row=(row["height"], row["width"]), label=row["kind"]
            ),
            **changes,
        )
        for place, row in enumerate(table)
    )


def manifest_of(hub: MemoryHub, sha256: str) -> Manifest:
    return hub.manifest(sha256)


def test_the_same_run_makes_the_same_manifest() -> None:
    run = make_train_run(**FOREST)
    first, second = hub_with(), hub_with()

    assert train(run, surroundings(first)).manifest == train(run, surroundings(second)).manifest
    assert first.blobs == second.blobs


def test_another_seed_makes_another_model() -> None:
    hub = hub_with()
    one, other = (train(make_train_run(seed=seed, **FOREST), surroundings(hub)).manifest for seed in (1, 2))

    assert manifest_of(hub, one).onnx != manifest_of(hub, other).onnx


def test_the_report_and_the_manifest_say_what_was_made() -> None:
    hub = hub_with()

    report = train(make_train_run(), surroundings(hub))
    manifest = manifest_of(hub, report.manifest)
    dataset = read_dataset(read_csv(NUMBERS, "f"), make_source())
    learnt = dataset.hashes[~dataset.reference]

    assert (report.rows, report.feedback_rows, report.window, report.validation) == (len(learnt), 0, "all", None)
    assert manifest.classes == ("rose", "tulip")
    assert manifest.majority in manifest.classes
    assert (manifest.onnx_inputs, manifest.data_sha256) == ("matrix", report.data_sha256)
    assert [column.name for column in manifest.columns] == ["height", "width"]
    assert set(decode_hashes(hub.blob(manifest.training_rows)).tolist()) == set(learnt.tolist())


def test_text_columns_are_published_and_loaded() -> None:
    hub = hub_with(content=as_csv(make_table(200)))
    run = make_train_run(data=make_source(id_column="id"), preprocessing=(ENCODE_COLOUR,))

    model = load_model(hub, train(run, surroundings(hub)).manifest)

    height, width, colour = np.array([2.0], np.float32), np.array([0.0], np.float32), np.array(["red"], np.object_)
    assert model.manifest.onnx_inputs == "columns"
    assert model.scorer.predict((height, width, colour)).tolist() == ["rose"]


def test_classes_that_are_whole_numbers_stay_so() -> None:
    hub = MemoryHub()

    report = train(make_train_run(data=DIGITS), surroundings(hub))

    assert manifest_of(hub, report.manifest).classes == tuple(range(10))


def test_feedback_is_learnt_from_up_to_the_ledger_number_of_the_run() -> None:
    hub = hub_with(flower_records(100))

    report = train(make_train_run(feedback_through=60), surroundings(hub))

    assert report.feedback_rows == 60
    assert report.rows == train(make_train_run(), surroundings(hub_with())).rows + 60


def test_feedback_equal_to_a_held_out_row_is_not_learnt_from() -> None:
    dataset = read_dataset(read_csv(NUMBERS, "f"), make_source())
    held_out = dataset.features[dataset.reference].matrix().tolist()
    labels = dataset.target.labels[dataset.reference].tolist()
    records = tuple(
        LabelledRecord(seq=place + 1, version=1, predicted_at=1.0, row=tuple(row), label=label)
        for place, (row, label) in enumerate(zip(held_out, labels, strict=True))
    )
    hub = hub_with(records)

    report = train(make_train_run(feedback_through=1000), surroundings(hub))

    assert report.feedback_rows == 0
    learnt = decode_hashes(hub.blob(manifest_of(hub, report.manifest).training_rows))
    assert not np.isin(dataset.hashes[dataset.reference], learnt).any()


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"row": (1.0, None)}, id="missing value"),
        pytest.param({"row": (1.0, 2.0, 3.0)}, id="more values than columns"),
        pytest.param({"row": (1.0, "wide")}, id="text for a number"),
    ],
)
def test_unusable_feedback_is_left_out(record: dict[str, object]) -> None:
    report = train(make_train_run(feedback_through=100), surroundings(hub_with(flower_records(100, **record))))

    assert report.feedback_rows == 0


def test_a_served_fraction_does_not_break_a_category_of_whole_numbers() -> None:
    content = as_csv([row | {"level": place % 3} for place, row in enumerate(make_numbers(200))])
    encode = PreprocessingStep(transformer="OneHotEncoder", columns=("level",))
    records = tuple(
        LabelledRecord(seq=n + 1, version=1, predicted_at=1.0, row=(0.1 * n, 1.0, level), label="rose")
        for n, level in enumerate((1, 2.5, 2))
    )
    run = make_train_run(
        data=make_source(features=("height", "width", "level")), preprocessing=(encode,), feedback_through=3
    )

    hub = hub_with(records, content)
    hub.taken[1] += numbers("level")

    assert train(run, surroundings(hub)).feedback_rows == 2


def test_a_class_that_only_feedback_has_is_learnt() -> None:
    hub = hub_with(flower_records(100, label="lily"))

    report = train(make_train_run(feedback_through=100), surroundings(hub))

    assert manifest_of(hub, report.manifest).classes == ("lily", "rose", "tulip")


def test_a_label_of_another_type_is_left_out() -> None:
    images, labels = digits("700:800")
    records = tuple(msgspec.structs.replace(record, label="seven") for record in as_records(images, labels))

    report = train(
        make_train_run(data=DIGITS, feedback_through=100), surroundings(MemoryHub(taken=PIXELS, labelled=records))
    )

    assert (report.feedback_rows, report.classes) == (0, 10)


def test_after_the_camera_was_turned_the_new_model_reads_turned_images() -> None:
    images, labels = digits("700:")
    before = as_records(images[:300], labels[:300])
    after = as_records(turned(images[300:700]), labels[300:700], first_seq=301)
    hub = MemoryHub(taken=PIXELS, labelled=before + after)
    run = make_train_run(data=DIGITS, **FOREST)
    old = load_model(hub, train(run, surroundings(hub)).manifest)

    report = train(msgspec.structs.replace(run, version=2, feedback_through=700), surroundings(hub))

    new = load_model(hub, report.manifest)
    unseen, truth = np.array(turned(images[700:]), np.float32), np.array(labels[700:])
    assert np.mean(old.scorer.predict(unseen) == truth) < 0.4
    assert np.mean(new.scorer.predict(unseen) == truth) > 0.85
    assert report.validation is not None
    assert report.validation > 0.85


def test_in_a_world_that_did_not_change_all_data_are_kept() -> None:
    images, labels = digits("700:1100")
    hub = MemoryHub(taken=PIXELS, labelled=as_records(images, labels))

    report = train(make_train_run(data=DIGITS, feedback_through=400, **FOREST), surroundings(hub))

    assert (report.window, report.feedback_rows) == ("all", 400)


def test_a_window_too_short_for_the_parameters_is_no_choice() -> None:
    run = make_train_run(estimator="KNeighborsClassifier", parameters={"n_neighbors": 60}, feedback_through=200)

    assert train(run, surroundings(hub_with(flower_records(200)))).rows >= 60


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        pytest.param(
            {"estimator": "LinearRegression"},
            FailureReason.SPEC_INVALID,
            "no estimator of the task Classification",
            id="a regressor",
        ),
        pytest.param(
            {"parameters": {"max_depht": 3}}, FailureReason.SPEC_INVALID, "Did you mean 'max_depth'", id="parameter"
        ),
        pytest.param(
            {"data": make_source(uri="hub://roses.csv")}, FailureReason.DATA_NOT_FOUND, "roses.csv", id="no file"
        ),
        pytest.param(
            {"estimator": "KNeighborsClassifier", "parameters": {"n_neighbors": 1000}},
            FailureReason.SPEC_INVALID,
            "n_neighbors",
            id="parameters that do not go with the data",
        ),
    ],
)
def test_a_run_that_cannot_succeed_gives_up(changes: dict[str, object], reason: FailureReason, words: str) -> None:
    hub = hub_with()

    with pytest.raises(JobError) as failure:
        train(make_train_run(**changes), surroundings(hub))

    assert failure.value.reason is reason
    assert words in failure.value.message
    assert not hub.blobs
