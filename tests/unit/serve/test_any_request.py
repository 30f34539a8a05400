"""Whatever comes in, the answer is a prediction or a refusal in words, never a failure of the server."""

import asyncio
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.serve.http_calls import make_bench, tensor
from tests.unit.serve.made_models import mixed, numeric

from evermodel.contract import CallerIds, CaptureRules

BENCHES = [make_bench(numeric()), make_bench(mixed()), make_bench(numeric())]
BENCHES[2].captures.rules = CaptureRules(caller_ids=CallerIds.ACCEPT)
ROW = tensor("X", [0.5, 0.5, 1], [1, 3])
DATATYPES = ["BOOL", "INT8", "INT64", "UINT8", "UINT64", "FP32", "FP64", "BYTES", "FP16", "BF16"]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["X", "a", "b", "c", "age", "city", "size"]),
        "shape": st.lists(st.integers(-1, 4), max_size=3),
        "datatype": st.sampled_from(DATATYPES),
        "data": st.one_of(values, st.lists(values, max_size=12)),
    }
)
near_requests = st.fixed_dictionaries(
    {"inputs": st.lists(tensors, max_size=4)},
    optional={
        "id": st.one_of(st.text(max_size=5), scalars),
        "outputs": st.lists(st.fixed_dictionaries({"name": st.sampled_from(["label", "probabilities", "other"])})),
        "parameters": st.dictionaries(st.text(max_size=3), scalars, max_size=2),
    },
)
plausible_tensors = st.integers(1, 4).flatmap(
    lambda rows: st.fixed_dictionaries(
        {
            "name": st.just("X"),
            "shape": st.just([rows, 3]),
            "datatype": st.sampled_from(DATATYPES),
            "data": st.lists(scalars, min_size=3 * rows, max_size=3 * rows),
        }
    )
)
with_any_ids = values.map(lambda ids: {"inputs": [ROW], "parameters": {"ids": ids}})


@settings(max_examples=300, deadline=None)
@given(body=st.one_of(near_requests, plausible_tensors.map(lambda one: {"inputs": [one]}), with_any_ids, values))
def test_any_json_is_answered_or_refused(body: Any) -> None:
    check(msgspec.json.encode(body))


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(body: bytes) -> None:
    check(body)


def check(body: bytes) -> None:
    for bench in BENCHES:
        reply = asyncio.run(bench.infer(body))
        assert reply.status in (200, 400), reply.body
        if reply.status == 200:
            assert reply.json["parameters"]["prediction_ids"]
        else:
            assert reply.error
