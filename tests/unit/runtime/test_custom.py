"""Before and after a container of the user's own: what it is given, and which of what it writes is taken."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from onnx import TensorProto, helper
from tests.unit.runtime import made_onnx
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, as_records, surroundings

from evermodel.contract import DATA_ERROR_EXIT_CODE, FailureReason, FailureReport, FeedbackRules, Task, TrainRun
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.artifacts.outcome import conclude
from evermodel_runtime.custom.folders import HASHES_FILE, Folders
from evermodel_runtime.custom.prepare import prepare
from evermodel_runtime.custom.publish import publish
from evermodel_runtime.data.dataset import read_dataset, training_part
from evermodel_runtime.data.rows import decode_hashes
from evermodel_runtime.data.source import read_data
from evermodel_runtime.train.job import TO_USE_THEM

NUMBERS = make_numbers(200)
RUN = make_train_run(estimator="", container="registry.example/trainer:1", parameters={"epochs": 7})


@dataclass
class Pod:
    """The folders of a pod, and the hub that its containers speak to."""

    folders: Folders
    hub: MemoryHub
    run: TrainRun = RUN

    def prepare(self) -> None:
        prepare(self.run, surroundings(self.hub), self.folders)

    def publish(self) -> Any:
        return publish(self.run, surroundings(self.hub), self.folders)

    @property
    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folders.input / "schema.json").read_text())
        return found

    @property
    def rows(self) -> list[dict[str, str]]:
        with (self.folders.input / "train.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def make_pod(folder: Path, table: list[dict[str, Any]] = NUMBERS, **changes: Any) -> Pod:
    folders = Folders(folder / "input", folder / "output", folder / "state")
    for one in (folders.input, folders.output, folders.state):
        one.mkdir()
    hub = MemoryHub(datasets={"flowers.csv": as_csv(table)})
    return Pod(folders, hub, msgspec.structs.replace(RUN, **changes))


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    made = make_pod(tmp_path)
    made.prepare()
    return made


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    return str(float(row["height"])), str(float(row["width"])), row["kind"]


def test_the_container_is_given_the_training_part_and_no_row_that_is_held_out(pod: Pod) -> None:
    file, _ = read_data(RUN.data, datasets=pod.hub, mount=Path("/nowhere"))
    dataset = read_dataset(file, RUN.data)
    held_out = [row for row, out in zip(NUMBERS, dataset.reference.tolist(), strict=True) if out]
    given = {cells(row) for row in pod.rows}
    assert len(held_out) > 20
    assert given == {cells(row) for row in NUMBERS} - {cells(row) for row in held_out}
    assert len(pod.rows) == len(NUMBERS) - len(held_out)
    assert sorted(entry.name for entry in pod.folders.input.iterdir()) == ["schema.json", "train.csv"]
    hashes = decode_hashes((pod.folders.state / HASHES_FILE).read_bytes())
    assert hashes.tolist() == np.unique(training_part(dataset).hashes).tolist()


def test_the_schema_says_what_the_rows_are_and_what_the_model_is_to_answer(pod: Pod) -> None:
    numbers = [{"name": name, "kind": "number", "nullable": False} for name in ("height", "width")]
    assert pod.schema == {
        "model": "flowers",
        "version": 1,
        "task": "Classification",
        "target": "kind",
        "columns": numbers,
        "classes": ["rose", "tulip"],
        "rows": len(pod.rows),
        "feedbackRows": 0,
        "parameters": {"epochs": 7},
        "seed": 0,
    }


def test_numbers_are_written_as_the_model_will_be_asked_with_them_and_what_is_missing_is_empty(tmp_path: Path) -> None:
    table = make_table(100)
    for place in range(0, 100, 3):
        table[place] |= {"height": 0.1 + place, "colour": 'dark, "blue"\nred'}
    table[1] |= {"height": "", "colour": ""}
    pod = make_pod(tmp_path, table, data=make_source(features=("height", "colour"), id_column="id"))
    pod.prepare()
    assert [column["nullable"] for column in pod.schema["columns"]] == [True, True]
    given = {(row["height"], row["colour"]) for row in pod.rows}
    assert {float(np.float32(height)) for height, _ in given if height} <= {
        float(np.float32(row["height"])) for row in table if row["height"] != ""
    }
    assert {colour for _, colour in given} <= {row["colour"] for row in table}
    assert any("\n" in colour for _, colour in given)
    assert ("", "") in given or len(pod.rows) < len(table)


def test_feedback_comes_after_the_source_and_without_copies_of_held_out_rows(tmp_path: Path) -> None:
    file, _ = read_data(RUN.data, datasets=MemoryHub(datasets={"flowers.csv": as_csv(NUMBERS)}), mount=Path("/nowhere"))
    reference = read_dataset(file, RUN.data).reference.tolist()
    secret = next(row for row, out in zip(NUMBERS, reference, strict=True) if out)
    pod = make_pod(tmp_path, feedback_through=3)
    rows = [[9.5, 1.0], [secret["height"], secret["width"]], [8.5, 2.0]]
    labels = ["rose", "tulip", "lily"]
    records = as_records(rows, [0, 0, 0])
    pod.hub.labelled = tuple(
        msgspec.structs.replace(record, label=label) for record, label in zip(records, labels, strict=True)
    )
    pod.prepare()
    assert [cells(row) for row in pod.rows[-2:]] == [("9.5", "1.0", "rose"), ("8.5", "2.0", "lily")]
    assert (pod.schema["feedbackRows"], pod.schema["classes"]) == (2, ["lily", "rose", "tulip"])
    assert len(pod.rows) == len(NUMBERS) - sum(reference) + 2


def test_the_version_notes_which_records_the_container_was_given(tmp_path: Path) -> None:
    rules = FeedbackRules(as_of=200.0, max_age=98.5)
    pod = make_pod(tmp_path, feedback_through=4, feedback_rules=rules)
    pod.hub.labelled = as_records([[9.5, 1.0], [8.5, 2.0], [7.5, 3.0]], ["rose"] * 3)
    pod.hub.labelled += as_records([[6.5, 4.0]], ["rose"], first_seq=4, version=2)
    pod.prepare()
    (pod.folders.output / "model.onnx").write_bytes(made_onnx.written())
    (pod.folders.output / "notes.txt").write_text("Loss 0.1.")
    assert pod.publish().notes == (
        f"Production records not used: 1 of version 2, whose columns are not known. {TO_USE_THEM}",
        f"Production records: 2 of 3 learnt from beside {len(pod.rows) - 2} source rows, left out 1 older than maxAge.",
        "Loss 0.1.",
    )


def test_a_model_is_published_as_any_other_and_answers(pod: Pod) -> None:
    (pod.folders.output / "model.onnx").write_bytes(made_onnx.written())
    (pod.folders.output / "notes.txt").write_text("Loss 0.1.\n\n\x1b[31mRed.\n")
    report = pod.publish()
    model = load_model(pod.hub, report.manifest)
    assert (model.manifest.onnx_inputs, model.manifest.classes) == ("matrix", ("rose", "tulip"))
    assert (model.manifest.estimator, model.manifest.parameters) == ("registry.example/trainer:1", {"epochs": 7})
    assert (report.rows, report.classes, report.notes) == (len(pod.rows), 2, ("Loss 0.1.", "[31mRed."))
    expected = np.array([[1, 2]]) @ made_onnx.weights()["W"]
    assert model.scorer.predict(np.array([[1, 2]], np.float32)).tolist() == [made_onnx.CLASSES[expected.argmax()]]
    assert model.training_rows == (pod.folders.state / HASHES_FILE).read_bytes()
    reference = pod.hub.reference(report.manifest)
    assert [(bins.name, bins.present) for bins in reference.features] == [
        ("height", len(pod.rows)),
        ("width", len(pod.rows)),
    ]
    assert reference.prediction.categories == ("rose", "tulip")


def test_a_model_may_take_its_columns_one_by_one_and_text_among_them(tmp_path: Path) -> None:
    source = make_source(id_column="id", features=("height", "width", "colour"))
    pod = make_pod(tmp_path, make_table(100), data=source)
    pod.prepare()
    (pod.folders.output / "model.onnx").write_bytes(made_onnx.by_column())
    assert pod.hub.manifest(pod.publish().manifest).onnx_inputs == "columns"


def test_labels_alone_are_an_answer(pod: Pod) -> None:
    (pod.folders.output / "model.onnx").write_bytes(made_onnx.written(outputs=made_onnx.OUTPUTS[:1]))
    assert not load_model(pod.hub, pod.publish().manifest).scorer.has_probabilities


def wrote(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def linked(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def linked_to_itself(path: Path) -> None:
    path.symlink_to(path)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        os.truncate(file.fileno(), 10 << 30)


def nothing(path: Path) -> None:
    (path.parent / "model.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")


def nan_weights() -> dict[str, Any]:
    return made_onnx.weights() | {"B": np.full(2, np.nan, np.float32)}


def changed_last(*nodes: Any) -> list[Any]:
    return [*made_onnx.NODES[:3], *nodes]


LABEL, PROBABILITIES = made_onnx.OUTPUTS
FLOAT, TEXT = TensorProto.FLOAT, TensorProto.STRING
HOSTILE = [
    pytest.param(nothing, "wrote no", id="no model, but a pickle"),
    pytest.param(linked, "is a link", id="a link to a file of ours"),
    pytest.param(linked_to_itself, "is a link", id="a link to itself"),
    pytest.param(Path.mkdir, "is no plain file", id="a folder"),
    pytest.param(os.mkfifo, "is no plain file", id="a pipe that nobody writes to"),
    pytest.param(sparse, "10,240.0 MiB; at most 1,024.0 MiB are taken", id="10 GiB of nothing"),
    pytest.param(wrote(b""), "has no node", id="an empty file"),
    pytest.param(wrote(b"PK\x03\x04"), "is no ONNX file", id="another format"),
    pytest.param(wrote(bytes(1000)), "is no ONNX file", id="zeros"),
    pytest.param(wrote(made_onnx.written()[:-40]), "is no ONNX file", id="half a model"),
    pytest.param(
        wrote(made_onnx.keeping_weights_elsewhere("/etc/passwd")), "in another file", id="weights in a file of ours"
    ),
    pytest.param(
        wrote(made_onnx.keeping_weights_elsewhere("weights.bin")), "in another file", id="weights in a file beside it"
    ),
    pytest.param(
        wrote(
            made_onnx.written(
                nodes=[helper.make_node("Run", ["X"], ["label"], domain="evil")],
                outputs=[LABEL],
                domains=["evil"],
            )
        ),
        "needs the operator 'Run' of 'evil'",
        id="an operator of its own",
    ),
    pytest.param(
        wrote(made_onnx.written(nodes=[helper.make_node("NoSuch", ["X"], ["label"])], outputs=[LABEL])),
        "ONNX Runtime does not load the model",
        id="an operator that ONNX does not have",
    ),
    pytest.param(
        wrote(made_onnx.written(inputs=[made_onnx.value("X", FLOAT, None, 3)], constants=made_onnx.weights(3))),
        "must be [None, 2]",
        id="another number of columns",
    ),
    pytest.param(
        wrote(made_onnx.written(inputs=[made_onnx.value("X", FLOAT, 1, 2)])),
        "must be [None, 2]",
        id="one row at a time",
    ),
    pytest.param(
        wrote(made_onnx.written(inputs=[made_onnx.value("X", TensorProto.DOUBLE, None, 2)], nodes=[
            helper.make_node("Cast", ["X"], ["Y"], to=FLOAT),
            helper.make_node("Gemm", ["Y", "W", "B"], ["scores"]),
            *made_onnx.NODES[1:],
        ])),
        "is a tensor(double); it must be a tensor(float)",
        id="other numbers",
    ),
    pytest.param(
        wrote(made_onnx.written(
            inputs=[made_onnx.value(name, FLOAT, None, 1) for name in ("width", "height")],
            nodes=[helper.make_node("Concat", ["width", "height"], ["X"], axis=1), *made_onnx.NODES],
        )),
        "in the same order and of the same name: height, width",
        id="columns in another order",
    ),
    pytest.param(wrote(made_onnx.written(outputs=[PROBABILITIES])), "it must answer", id="no label"),
    pytest.param(
        wrote(made_onnx.written(outputs=[LABEL, PROBABILITIES, made_onnx.value("scores", FLOAT, None, 2)])),
        "it must answer",
        id="three answers",
    ),
    pytest.param(
        wrote(made_onnx.written(outputs=[made_onnx.value("place", TensorProto.INT64, None)])),
        "'place' (tensor(int64)); it must answer a tensor(string)",
        id="places instead of labels",
    ),
    pytest.param(
        wrote(made_onnx.written(constants=made_onnx.weights() | {"C": np.array(["oak", "elm"], dtype=object)})),
        "none of the classes of schema.json: 'rose', 'tulip'",
        id="labels that are no classes",
    ),
    pytest.param(wrote(made_onnx.written(constants=nan_weights())), "probabilities are none", id="NaN"),
    pytest.param(
        wrote(made_onnx.written(nodes=[
            made_onnx.NODES[0], helper.make_node("Identity", ["scores"], ["probabilities"]), *made_onnx.NODES[2:]
        ])),
        "probabilities are none",
        id="scores that are no probabilities",
    ),
    pytest.param(
        wrote(made_onnx.written(nodes=changed_last(helper.make_node("Gather", ["C", "one"], ["label"])),
            constants=made_onnx.weights() | {"one": np.array([0])})),
        "gives 1 answers; it must be one each",
        id="one label for all rows",
    ),
    pytest.param(
        wrote(made_onnx.written(nodes=[
            *made_onnx.NODES[:1],
            helper.make_node("ReduceMax", ["scores", "zero"], ["best"], keepdims=1),
            helper.make_node("Sub", ["scores", "best"], ["moved"]),
            helper.make_node("Clip", ["moved", "lowest"], ["kept"]),
            helper.make_node("Softmax", ["kept"], ["probabilities"], axis=1),
            *made_onnx.NODES[2:],
        ], constants=made_onnx.weights() | {"zero": np.array([0]), "lowest": np.float32(-90)})),
        "otherwise when it is asked about it alone",
        id="rows that depend on each other",
    ),
    pytest.param(
        wrote(made_onnx.written(nodes=[
            helper.make_node("RandomUniformLike", ["X"], ["noise"], low=-9.0, high=9.0),
            helper.make_node("Gemm", ["noise", "W", "B"], ["scores"]),
            *made_onnx.NODES[1:],
        ])),
        "otherwise when it is asked about it alone",
        id="lots that are drawn",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("write", "words"), HOSTILE)
def test_what_a_container_may_not_write(write: Callable[[Path], None], words: str, pod: Pod, tmp_path: Path) -> None:
    write(pod.folders.output / "model.onnx")
    assert_refused(pod, words, tmp_path)


def assert_refused(pod: Pod, words: str, tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    exit_code = conclude(pod.publish, pod.hub, version=1, stage="train", termination_log=log)
    told = msgspec.json.decode(log.read_bytes(), type=FailureReport)
    assert (exit_code, told.reason) == (DATA_ERROR_EXIT_CODE, FailureReason.MODEL_INVALID), told.message
    assert words in told.message
    assert pod.hub.reports == {(1, "train"): told}
    assert not pod.hub.blobs


def test_notes_that_are_a_link_are_refused_too(pod: Pod) -> None:
    (pod.folders.output / "model.onnx").write_bytes(made_onnx.written())
    linked(pod.folders.output / "notes.txt")
    with pytest.raises(Exception, match=r"notes\.txt cannot be read, or is a link"):
        pod.publish()


@pytest.fixture
def numbers_pod(tmp_path: Path) -> Pod:
    """A pod whose container is to predict a number."""
    table = [{"height": row["height"], "width": row["width"], "price": 3.5 * row["height"] + 1e6} for row in NUMBERS]
    made = make_pod(tmp_path, table, data=make_source(target="price"), task=Task.REGRESSION)
    made.prepare()
    return made


def number(*nodes: Any, kind: int = FLOAT, **constants: Any) -> bytes:
    """A model that answers height + 2 * width, unless nodes of its own make an answer of ``sum``."""
    weighed = {"W": np.array([[1], [2]], np.float32), "B": np.zeros(1, np.float32)} | constants
    return made_onnx.written(
        nodes=[helper.make_node("Gemm", ["X", "W", "B"], ["sum"]), *nodes],
        outputs=[made_onnx.value(nodes[-1].output[0] if nodes else "sum", kind, None, 1)],
        constants=weighed,
    )


DOUBLE = TensorProto.DOUBLE


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(number(), id="32 bits"),
        pytest.param(number(helper.make_node("Cast", ["sum"], ["price"], to=DOUBLE), kind=DOUBLE), id="64 bits"),
    ],
)
def test_a_container_may_make_a_model_of_numbers(model: bytes, numbers_pod: Pod) -> None:
    assert (numbers_pod.schema["task"], numbers_pod.schema["classes"]) == ("Regression", [])
    prices = [float(row["price"]) for row in numbers_pod.rows]
    (numbers_pod.folders.output / "model.onnx").write_bytes(model)
    report = numbers_pod.publish()
    published = load_model(numbers_pod.hub, report.manifest)
    assert published.scorer.predict(np.array([[1, 2]], np.float32)).tolist() == [5]
    manifest = published.manifest
    assert (manifest.task, manifest.classes, manifest.majority, report.classes) == (Task.REGRESSION, (), None, 0)
    assert (manifest.mean, manifest.median) == pytest.approx((np.mean(prices), np.median(prices)))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        pytest.param(made_onnx.written(), "it must answer a tensor(float) or a tensor(double)", id="classes"),
        pytest.param(
            number(helper.make_node("Log", ["sum"], ["price"])), "no finite number, such as nan", id="NaN for some"
        ),
        pytest.param(
            number(helper.make_node("ReduceMean", ["sum"], ["price"], keepdims=1)), "it must be one each", id="a mean"
        ),
        pytest.param(
            number(
                helper.make_node("ReduceMean", ["sum", "rows"], ["mean"], keepdims=1),
                helper.make_node("Sub", ["sum", "mean"], ["price"]),
                rows=np.array([0]),
            ),
            "otherwise when it is asked about it alone",
            id="rows that depend on each other",
        ),
        pytest.param(
            number(helper.make_node("Concat", ["sum", "sum"], ["price"], axis=1)),
            "answers; it must be one each",
            id="two numbers a row",
        ),
    ],
)
def test_a_model_of_numbers_that_nobody_could_use(model: bytes, words: str, numbers_pod: Pod, tmp_path: Path) -> None:
    (numbers_pod.folders.output / "model.onnx").write_bytes(model)
    assert_refused(numbers_pod, words, tmp_path)
