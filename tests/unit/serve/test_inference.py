"""Predictions over the protocol: what is accepted, what is answered, and what is refused in which words."""

import gzip
import zlib
from typing import Any

import msgspec
import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.naive_bayes import CategoricalNB
from tests.unit.serve.http_calls import NOW, TOKEN, make_bench, tensor
from tests.unit.serve.made_models import Made, made_of, mixed, numeric

from evermodel.contract import ColumnKind
from evermodel_runtime.quality.prediction_id import Issued, Signer
from evermodel_runtime.serve.protocol import MAX_BODY_BYTES, MAX_ROWS

MIXED_ROW = [tensor("age", [7], [1]), tensor("city", ["Rome"], [1], "BYTES"), tensor("size", [0.5], [1])]


def one(*inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"inputs": list(inputs), **more}


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param([tensor("X", [0, 5, 1, 7, 2, 1], [2, 3])], id="one matrix, flat"),
        pytest.param([tensor("anything", [[0, 5, 1], [7, 2, 1]], [2, 3])], id="one matrix, nested, any name"),
        pytest.param([tensor("X", [[0.0, 5.0, 1.0], [7.0, 2.0, 1.0]], [2, 3], "INT8")], id="whole floats as integers"),
        pytest.param([tensor("X", [[0, 5, 1], [7, 2, 1]], [2, 3], "UINT64")], id="unsigned integers"),
        pytest.param([tensor("X", [[0, 5, 1], [7, 2, 1]], [2, 3], "FP32", parameters={"a": 1})], id="parameters"),
        pytest.param(
            [tensor("c", [1, 1], [2]), tensor("a", [[0], [7]], [2, 1]), tensor("b", [5, 2], [2, 1], "INT16")],
            id="one tensor for each column, any order and shape",
        ),
    ],
)
async def test_numbers_are_accepted_however_the_protocol_lets_them_be_sent(inputs: list[dict[str, Any]]) -> None:
    reply = await make_bench(numeric()).infer(one(*inputs))

    assert reply.status == 200, reply.body
    label, probabilities = reply.json["outputs"]
    assert label == {"name": "label", "datatype": "INT64", "shape": [2], "data": [1, 0]}
    expected = numeric().estimator.predict_proba(np.array([[0, 5, 1], [7, 2, 1]], np.float32))
    assert (probabilities["datatype"], probabilities["shape"]) == ("FP64", [2, 3])
    assert np.array(probabilities["data"]).reshape(2, 3) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("made", "datatype", "answer"),
    [
        pytest.param(numeric((4, 5, 6)), "INT64", 5, id="integers"),
        pytest.param(numeric(("x", "y", "z")), "BYTES", "y", id="words"),
        pytest.param(numeric((False, True)), "BOOL", True, id="booleans"),
    ],
)
async def test_labels_have_the_type_of_the_classes(made: Made, datatype: str, answer: object) -> None:
    reply = await make_bench(made).infer(one(tensor("X", [[0, 5, 1]], [1, 3])))

    label = reply.json["outputs"][0]
    assert (label["datatype"], label["data"]) == (datatype, [answer])
    assert type(label["data"][0]) is type(answer)


async def test_text_and_numbers_are_one_tensor_for_each_column() -> None:
    bench = make_bench(mixed())

    reply = await bench.infer(one(*MIXED_ROW, tensor("ignored", [1], [1])))
    assert (reply.status, reply.error) == (400, "input 'ignored' is no column of the model: leave it out")

    reply = await bench.infer(one(*reversed(MIXED_ROW)))
    expected = mixed().estimator.predict(np.array([[7, "Rome", 0.5]], dtype=object)).tolist()
    assert reply.json["outputs"][0] == {"name": "label", "datatype": "BYTES", "shape": [1], "data": expected}


async def test_booleans_are_numbers_where_the_tensor_says_so() -> None:
    reply = await make_bench(numeric()).infer(one(tensor("X", [[False, True, False]], [1, 3], "BOOL")))

    assert reply.json["outputs"][0]["data"] == [1]


async def test_every_row_gets_its_own_id_that_the_hub_can_read() -> None:
    reply = await make_bench(numeric()).infer(one(tensor("X", [[0, 5, 1], [7, 2, 1], [7, 2, 1]], [3, 3])))

    ids = reply.json["parameters"]["prediction_ids"]
    assert len(set(ids)) == 3
    assert reply.json["id"] == ids[0]
    issued = [Signer(TOKEN, "iris").verify(prediction_id) for prediction_id in ids]
    assert [(i.version, i.at, i.predicted) for i in issued if isinstance(i, Issued)] == [
        (3, NOW, "1"),
        (3, NOW, "0"),
        (3, NOW, "0"),
    ]


async def test_ids_stay_apart_over_many_blocks_of_random_bytes() -> None:
    bench = make_bench(numeric())
    body = one(tensor("X", [[0, 5, 1]] * 700, [700, 3]))

    ids = [
        prediction_id
        for _ in range(3)
        for prediction_id in (await bench.infer(body)).json["parameters"]["prediction_ids"]
    ]
    assert len(set(ids)) == 2100


async def test_the_callers_id_is_kept_and_outputs_are_chosen() -> None:
    reply = await make_bench(numeric()).infer(
        one(tensor("X", [[0, 5, 1]], [1, 3]), id="mine", outputs=[{"name": "probabilities"}])
    )

    assert (reply.json["id"], reply.json["model_name"], reply.json["model_version"]) == ("mine", "iris", "3")
    assert [output["name"] for output in reply.json["outputs"]] == ["probabilities"]


async def test_a_model_without_probabilities_answers_labels_alone() -> None:
    bench = make_bench(numeric(probabilities=False))

    reply = await bench.infer(one(tensor("X", [[0, 5, 1]], [1, 3])))
    assert [output["name"] for output in reply.json["outputs"]] == ["label"]

    reply = await bench.infer(one(tensor("X", [[0, 5, 1]], [1, 3]), outputs=[{"name": "probabilities"}]))
    assert reply.error == "output 'probabilities' is not known: this model answers with 'label'"


async def test_rows_are_captured_as_received_in_the_manifests_order() -> None:
    bench = make_bench(mixed())

    reply = await bench.infer(
        one(tensor("size", [0.1], [1]), tensor("city", ["Röm"], [1], "BYTES"), tensor("age", [7], [1]))
    )

    (capture,) = bench.captures.oldest(10).captures
    assert capture.id == reply.json["parameters"]["prediction_ids"][0]
    assert capture.row == (7.0, "Röm", 0.1)
    assert isinstance(capture.row[0], float)


async def test_only_answered_rows_are_counted_and_captured() -> None:
    bench = make_bench(numeric())

    await bench.infer(one(tensor("X", [[0, 5, 1], [1, 1, 1]], [2, 3])))
    await bench.infer(one(tensor("X", [[0, 5, "x"]], [1, 3])))

    assert (bench.measures.predictions, bench.measures.errors, len(bench.captures)) == (2, 0, 2)


def refusal(case: str, body: Any, words: str, status: int = 400) -> Any:
    return pytest.param(body, status, words, id=case)


def with_data(data: bytes) -> bytes:
    return b'{"inputs": [{"name": "X", "shape": [1, 3], "datatype": "FP64", "data": ' + data + b"}]}"


GOOD = tensor("X", [1, 2, 3], [1, 3])
NUMERIC_REFUSALS = [
    refusal("nothing", b"", "the body is empty: send a JSON object"),
    refusal("half a body", b"{", "the body is not JSON: "),
    refusal("no UTF-8", b"\xff\xfe", "the body is not JSON: "),
    refusal("deeply nested", with_data(b"[" * 100_000), "the body is not JSON: "),
    refusal("a list", b"[]", "the body is no inference request: Expected `object`"),
    refusal("another protocol", {"instances": [[1, 2, 3]]}, "missing required field `inputs`"),
    refusal("no inputs", one(), "the request has no inputs; send one numeric tensor of shape [rows, 3]"),
    refusal(
        "data is text", one(tensor("X", "abc", [1, 3])), "Expected `array | null`, got `str` - at `$.inputs[0].data`"
    ),
    refusal(
        "binary data",
        one({"name": "X", "shape": [1, 3], "datatype": "FP32", "parameters": {"binary_data_size": 12}}),
        "input 'X' has no data: send the elements as JSON in 'data', or as bytes after the JSON",
    ),
    refusal(
        "unknown datatype",
        one(tensor("X", [1, 2, 3], [1, 3], "BF16")),
        "Invalid enum value 'BF16' - at `$.inputs[0].datatype`",
    ),
    refusal(
        "too narrow",
        one(tensor("X", [1, 2], [1, 2])),
        "has shape [1, 2]; send one numeric tensor of shape [rows, 3] or one tensor of shape [rows] for each column",
    ),
    refusal("one dimension", one(tensor("X", [1, 2, 3], [3])), "input 'X' has shape [3]; send"),
    refusal(
        "negative shape", one(tensor("X", [1, 2, 3], [-1, 3])), "input 'X' has shape [-1, 3]; sizes must be positive"
    ),
    refusal("no shape", one(tensor("X", [], [])), "input 'X' has shape []; sizes must be positive"),
    refusal("no rows", one(tensor("X", [], [0, 3])), "input 'X' has no rows: send at least one"),
    refusal(
        "too few elements", one(tensor("X", [1, 2, 3], [2, 3])), "input 'X' has 3 elements; its shape [2, 3] needs 6"
    ),
    refusal(
        "too many elements", one(tensor("X", [1] * 9, [2, 3])), "input 'X' has 9 elements; its shape [2, 3] needs 6"
    ),
    refusal(
        "ragged",
        one(tensor("X", [[1, 2, 3], [1, 2]], [2, 3])),
        "row 1 of input 'X' has 2 elements; expected a list of 3",
    ),
    refusal(
        "half nested", one(tensor("X", [[1, 2, 3], 4], [2, 3])), "row 1 of input 'X' has no list; expected a list of 3"
    ),
    refusal("nested too deep", one(tensor("X", [[[1, 2, 3]]], [1, 3])), "row 0 of input 'X' has 1 elements"),
    refusal(
        "a text among numbers",
        one(tensor("X", [1, "2", 3], [1, 3])),
        "row 0 of column 'b' (input 'X') is the text '2', not FP64",
    ),
    refusal(
        "null",
        one(tensor("X", [1, 2, 3, 1, 2, None], [2, 3])),
        "row 1 of column 'c' (input 'X') is null (missing values are not accepted), not FP64",
    ),
    refusal(
        "a boolean among numbers",
        one(tensor("X", [1, True, 3], [1, 3])),
        "row 0 of column 'b' (input 'X') is true, not FP64",
    ),
    refusal(
        "a number among booleans",
        one(tensor("X", [True, 1, True], [1, 3], "BOOL")),
        "row 0 of column 'b' (input 'X') is the number 1, not BOOL",
    ),
    refusal(
        "an object among numbers",
        one(tensor("X", [1, {}, 3], [1, 3])),
        "row 0 of column 'b' (input 'X') is an object, not FP64",
    ),
    refusal(
        "a fraction among integers",
        one(tensor("X", [1, 2.5, 3], [1, 3], "INT32")),
        "row 0 of column 'b' (input 'X') is 2.5, not INT32",
    ),
    refusal(
        "integer out of range",
        one(tensor("X", [1, 2, 128], [1, 3], "INT8")),
        "row 0 of column 'c' (input 'X') is 128, not INT8",
    ),
    refusal(
        "a negative unsigned",
        one(tensor("X", [1, 2, -1], [1, 3], "UINT8")),
        "row 0 of column 'c' (input 'X') is -1, not UINT8",
    ),
    refusal(
        "texts for numbers",
        one(tensor("X", ["a", "b", "c"], [1, 3], "BYTES")),
        "input 'X' has datatype BYTES, but the columns are numbers",
    ),
    refusal("NaN", with_data(b"[1, NaN, 3]"), "NaN and Infinity are neither JSON nor accepted"),
    refusal("Infinity", with_data(b"[1, -Infinity, 3]"), "NaN and Infinity are neither JSON nor accepted"),
    refusal(
        "too large for float32",
        one(tensor("X", [1, 1e39, 3], [1, 3])),
        "row 0 of column 'b' is 1e+39; numbers must be finite and fit into 32-bit floats",
    ),
    refusal("too large for float64", with_data(b"[1, 1e999, 3]"), ""),
    refusal("an endless integer", with_data(b"[1, " + b"9" * 400 + b", 3]"), ""),
    refusal(
        "a column is missing", one(tensor("a", [1], [1]), tensor("b", [1], [1])), "input 'c' is missing (1 in all)"
    ),
    refusal("a column twice", one(tensor("a", [1], [1]), tensor("a", [1], [1])), "input 'a' is there twice"),
    refusal(
        "columns of unequal length",
        one(tensor("a", [1], [1]), tensor("b", [1, 2], [2]), tensor("c", [1], [1])),
        "input 'b' has shape [2]; expected [1] or [1, 1], as many rows as input 'a'",
    ),
    refusal(
        "too many rows",
        one(tensor("X", [0] * 3, [MAX_ROWS + 1, 3])),
        "input 'X' has 10,001 rows; a request may have 10,000: send several",
        status=413,
    ),
    refusal(
        "unknown output",
        one(GOOD, outputs=[{"name": "score"}]),
        "output 'score' is not known: this model answers with 'label' and 'probabilities'",
    ),
    refusal("an endless name", one(tensor("X" * 5000, [1], [1])), "input 'XXX"),
    refusal("id is a number", one(GOOD, id=7), "Expected `str | null`, got `int` - at `$.id`"),
]


@pytest.mark.parametrize(("body", "status", "words"), NUMERIC_REFUSALS)
async def test_bad_input_is_refused_in_words_that_help(body: Any, status: int, words: str) -> None:
    bench = make_bench(numeric())

    reply = await bench.infer(body)

    assert reply.status == status, reply.body
    assert set(reply.json) == {"error"}
    assert words in reply.error
    assert len(reply.error) < 500
    assert (bench.measures.predictions, bench.measures.errors) == (0, 0)


@pytest.mark.parametrize(
    ("city", "words"),
    [
        pytest.param(tensor("city", [3], [1]), "input 'city' has datatype FP64, but the column is text", id="number"),
        pytest.param(
            tensor("city", [3], [1], "BYTES"),
            "row 0 of column 'city' (input 'city') is the number 3, not BYTES",
            id="number in a text tensor",
        ),
        pytest.param(tensor("city", [None], [1], "BYTES"), "is null (missing values are not accepted)", id="null"),
        pytest.param(tensor("city", ["a", "b"], [1], "BYTES"), "input 'city' has 2 elements", id="two for one row"),
    ],
)
async def test_bad_text_is_refused_in_words_that_help(city: dict[str, Any], words: str) -> None:
    reply = await make_bench(mixed()).infer(one(MIXED_ROW[0], city, MIXED_ROW[2]))

    assert reply.status == 400
    assert words in reply.error


async def test_a_text_that_the_model_refuses_is_the_callers_business() -> None:
    bench = make_bench(mixed("error"))
    bench.app.inference.model.warm_up()  # type: ignore[union-attr]  # the bench has a model

    reply = await bench.infer(one(MIXED_ROW[0], tensor("city", ["Nowhere"], [1], "BYTES"), MIXED_ROW[2]))
    assert reply.status == 400
    assert reply.error.startswith("the model cannot score these rows, perhaps for a text it does not know: ")

    assert (await bench.infer(one(*MIXED_ROW))).status == 200


async def test_numbers_too_large_for_the_models_arithmetic_are_the_callers_business() -> None:
    bench = make_bench(numeric())

    reply = await bench.infer(one(tensor("X", [[0, 5, 1], [1e38, 3e38, 3e38]], [2, 3])))

    assert reply.status == 400
    assert reply.error == "the model does not answer these rows: its answer to row 1 is no finite number"
    assert (bench.measures.errors, len(bench.captures)) == (0, 0)


async def test_a_code_beyond_those_that_training_had_is_the_callers_business() -> None:
    codes = np.array([[place % 3, place % 2] for place in range(60)], dtype=np.float32)
    estimator = CategoricalNB().fit(codes, codes[:, 0].astype(np.int64) % 2)
    columns = [(name, ColumnKind.NUMBER) for name in "ab"]
    onnx = to_onnx(estimator, codes[:1], options={id(estimator): {"zipmap": False}}, target_opset=17)
    bench = make_bench(made_of(onnx.SerializeToString(), columns, (0, 1), "matrix", estimator))

    known = await bench.infer({"inputs": [tensor("X", [2, 1], [1, 2])]})
    unknown = await bench.infer({"inputs": [tensor("X", [3, 1], [1, 2])]})

    assert known.status == 200
    assert (unknown.status, bench.measures.errors) == (400, 0)
    assert "does not answer these rows" in unknown.error
    assert "out of range" in unknown.error


async def test_a_model_that_is_not_what_its_manifest_says_fails_loudly() -> None:
    made = mixed()
    bench = make_bench(Made(made.onnx, msgspec.structs.replace(made.manifest, classes=("a", "b")), made.estimator))

    reply = await bench.infer(one(*MIXED_ROW))

    assert reply.status == 500
    assert "which is none of its classes" in reply.error
    assert bench.measures.errors == 1


@pytest.mark.parametrize("text", ["", "Nowhere", "\x00", "😀", "a" * 100_000])
async def test_any_text_is_answered(text: str) -> None:
    reply = await make_bench(mixed()).infer(one(MIXED_ROW[0], tensor("city", [text], [1], "BYTES"), MIXED_ROW[2]))

    assert reply.status == 200, reply.body


async def test_half_a_surrogate_pair_is_refused() -> None:
    body = msgspec.json.encode(one(*MIXED_ROW)).replace(b'"Rome"', b'"\\ud800"')

    assert (await make_bench(mixed()).infer(body)).status == 400


async def test_a_body_in_pieces_is_put_together() -> None:
    reply = await make_bench(numeric()).infer(one(tensor("X", [[0, 5, 1]], [1, 3])), pieces=7)

    assert reply.status == 200


WHOLE = msgspec.json.encode(one(tensor("X", [[0, 5, 1]], [1, 3])))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param(b"identity", WHOLE, id="explicitly plain"),
        pytest.param(b"gzip", gzip.compress(WHOLE), id="gzip"),
        pytest.param(b"Deflate", zlib.compress(WHOLE), id="deflate"),
    ],
)
async def test_a_body_may_come_compressed(encoding: bytes, body: bytes) -> None:
    reply = await make_bench(numeric()).infer(body, headers=[(b"content-encoding", encoding)], pieces=2)

    assert reply.status == 200, reply.body


@pytest.mark.parametrize(
    ("encoding", "body", "status", "words"),
    [
        pytest.param(b"br", WHOLE, 415, "content-encoding 'br' is not supported: send gzip, deflate", id="unknown"),
        pytest.param(b"gzip", WHOLE, 400, "the body is no gzip: ", id="plain after all"),
        pytest.param(b"gzip", gzip.compress(WHOLE)[:-9], 400, "no whole gzip stream", id="half"),
        pytest.param(b"gzip", gzip.compress(WHOLE) + b"x", 400, "or something follows it", id="more after it"),
        pytest.param(
            b"gzip", gzip.compress(bytes(MAX_BODY_BYTES + 1)), 413, "the body is larger than 32 MiB", id="a bomb"
        ),
    ],
)
async def test_what_cannot_be_unpacked_is_refused(encoding: bytes, body: bytes, status: int, words: str) -> None:
    reply = await make_bench(numeric()).infer(body, headers=[(b"content-encoding", encoding)])

    assert reply.status == status
    assert words in reply.error


async def test_a_body_that_is_declared_too_large_is_not_waited_for() -> None:
    declared = [(b"content-length", str(MAX_BODY_BYTES + 1).encode())]
    reply = await make_bench(numeric()).infer(WHOLE, headers=declared, pieces=2)

    assert reply.status == 413


async def test_a_body_that_grows_too_large_is_refused() -> None:
    reply = await make_bench(numeric()).infer(b" " * (MAX_BODY_BYTES + 1), pieces=4)

    assert (reply.status, reply.error) == (413, "the body is larger than 32 MiB: send several requests")
