"""Rows that are counted in pauses, not with each request: all of a few, some of many, told until the hub has them."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.serve.http_calls import ToldHub, make_bench, tensor
from tests.unit.serve.made_models import mixed, numeric, serve_config

from evermodel.contract import Reference
from evermodel_runtime.data.bins import bins_of_answers, number_bins, text_bins
from evermodel_runtime.serve.binning import MOST_ROWS, BinCounter
from evermodel_runtime.serve.heartbeat import BEATS_BETWEEN_BINS, Reporter
from evermodel_runtime.serve.hub_client import HubAnswer
from evermodel_runtime.serve.measures import Measures
from evermodel_runtime.serve.rows import Rows, Schema

LEARNT = np.arange(100, dtype=np.float32)
REFERENCE = Reference(
    features=(text_bins("city", ["Oslo", "Rome"] * 20), number_bins("age", LEARNT)),
    prediction=bins_of_answers(np.array(["yes", "no"]), ("no", "yes")),
)
SCHEMA = Schema.of(mixed().manifest.columns[:2][::-1])
CITIES, AGES, MISSING, ANSWERS = slice(0, 3), slice(5, 15), slice(15, 16), slice(17, 20)


def rows(ages: Sequence[float], cities: Sequence[str]) -> Rows:
    numbers = np.array(ages, dtype=np.float32).reshape(-1, 1)
    return Rows(SCHEMA, len(ages), numbers.astype(np.float64), numbers, [list(cities)])


def totals(counter: BinCounter) -> tuple[int, ...]:
    return counter.counts(requests=0, refused=0).counts


def test_values_and_answers_are_counted_since_the_start() -> None:
    counter = BinCounter("d", REFERENCE)
    counter.add(rows([5, 95], ["Rome", "Røros"]), ["yes", "no"])
    first = counter.counts(requests=1, refused=0)
    counter.add(rows([5, np.nan], ["Oslo", ""]), ["yes", "yes"])
    counts = counter.counts(requests=2, refused=3)

    assert (first.reference, first.requests, first.refused) == ("d", 1, 0)
    assert (counts.requests, counts.refused, len(counts.counts)) == (2, 3, REFERENCE.width)
    assert counts.counts[0:5] == (1, 1, 1, 1, 1)  # Oslo, Rome, another, missing, of which one new
    assert counts.counts[5:17] == (2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0)
    assert counts.counts[ANSWERS] == (1, 3, 0)


def test_without_new_rows_the_totals_stay() -> None:
    counter = BinCounter("d", REFERENCE)
    counter.add(rows([5], ["Rome"]), ["yes"])
    assert totals(counter) == totals(counter)


def test_of_many_rows_the_first_are_counted_and_memory_is_bounded() -> None:
    counter = BinCounter("d", REFERENCE)
    for _ in range(MOST_ROWS + 500):
        counter.add(rows([5], ["Rome"]), ["yes"])
    assert totals(counter)[1] == MOST_ROWS
    counter.add(rows([5], ["Rome"]), ["yes"])
    assert totals(counter)[1] == MOST_ROWS + 1


def test_of_a_large_request_rows_all_through_it_are_counted() -> None:
    size = 5 * MOST_ROWS
    counter = BinCounter("d", REFERENCE)
    counter.add(rows([0.0] * (size // 2) + [99.0] * (size // 2), ["Oslo"] * size), ["yes"] * size)
    counts = totals(counter)
    assert (counts[5], counts[14]) == (MOST_ROWS // 2, MOST_ROWS // 2)
    assert counts[0] == MOST_ROWS


def test_of_wide_rows_fewer_are_looked_at() -> None:
    wide = Reference(features=tuple(number_bins(f"x{n}", LEARNT) for n in range(999)), prediction=REFERENCE.prediction)
    schema = Schema.of(numeric().manifest.columns)
    counter = BinCounter("d", wide)
    numbers = np.zeros((1, 999), np.float32)
    for _ in range(200):
        counter.add(Rows(schema, 1, numbers.astype(np.float64), numbers, []), ["no"])
    assert totals(counter)[0] == 100


@pytest.mark.parametrize(
    ("body", "answered", "refused"),
    [
        pytest.param({"inputs": [tensor("X", [0.1, 5.0, 1.0], [1, 3])]}, 1, 0, id="answered"),
        pytest.param({"inputs": [tensor("X", [0.1, 5.0], [1, 2])]}, 0, 1, id="another shape"),
        pytest.param(b"{", 0, 1, id="no JSON"),
    ],
)
async def test_requests_that_the_model_does_not_take_are_counted(body: Any, answered: int, refused: int) -> None:
    bench = make_bench(numeric())
    await bench.infer(body)
    measures = bench.measures
    assert (measures.answered, measures.refused) == (answered, refused)


def reporter(hub: ToldHub) -> Reporter:
    reporting = Reporter(hub, "pod-1", 3, Measures(serve_config(numeric())), None)
    reporting.bins = BinCounter("d", REFERENCE)
    reporting.bins.add(rows([5], ["Rome"]), ["yes"])
    return reporting


async def test_bins_are_told_every_few_heartbeats() -> None:
    hub = ToldHub()
    reporting = reporter(hub)
    for _ in range(2 * BEATS_BETWEEN_BINS):
        await reporting.beat()
    assert [heartbeat.bins is not None for heartbeat in hub.heartbeats].count(True) == 2


async def test_bins_that_the_hub_did_not_take_are_told_with_the_next_heartbeat() -> None:
    hub = ToldHub(*[HubAnswer(200, b"{}")] * (BEATS_BETWEEN_BINS - 1), None)
    reporting = reporter(hub)
    for _ in range(BEATS_BETWEEN_BINS + 1):
        await reporting.beat()
    assert [heartbeat.bins is not None for heartbeat in hub.heartbeats][-2:] == [True, True]


async def test_the_last_words_tell_bins() -> None:
    hub = ToldHub()
    await reporter(hub).last_words()
    assert msgspec.json.encode(hub.heartbeats[-1].bins)
    assert hub.heartbeats[-1].bins is not None
