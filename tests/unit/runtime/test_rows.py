"""A row has one hash wherever it comes from, and stays on its side of the split while the file grows."""

import hashlib

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.made_runs import ENCODE_COLOUR, as_csv, make_source, make_table
from tests.unit.runtime.memory_hub import as_page, as_records

from evermodel.contract import Column, ColumnKind, LabelledRecord, LabelledRecords, Scalar
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import Dataset, read_dataset
from evermodel_runtime.data.feedback import read_feedback
from evermodel_runtime.data.rows import (
    ROWS_AT_ONCE,
    FeatureRows,
    decode_hashes,
    distinct,
    encode_hashes,
    row_hashes,
    spread_over,
)
from evermodel_runtime.data.split import held_out, keys_of_rows

NUMBER = Column(name="n", kind=ColumnKind.NUMBER)
TEXT = Column(name="t", kind=ColumnKind.TEXT)


def recorded(*row: Scalar | None) -> LabelledRecords:
    return as_page(as_records([row], ["x"]), {1: (NUMBER, TEXT)})


def hash_of_csv(number: str, text: str) -> int:
    rows = FeatureRows((NUMBER, TEXT), (np.array([float(number)], np.float32), np.array([text], np.object_)))
    return int(row_hashes(rows)[0])


def hash_of_served(number: Scalar, text: str) -> int:
    return int(row_hashes(read_feedback(recorded(number, text), (NUMBER, TEXT), None).rows)[0])


@pytest.mark.parametrize(
    ("cell", "served"),
    [
        pytest.param("5", 5, id="an integer"),
        pytest.param("5.0", 5, id="a float that is whole"),
        pytest.param("0.1", 0.1, id="float64 in JSON"),
        pytest.param("0.1", float(np.float32(0.1)), id="float32 in JSON"),
        pytest.param("-0.0", 0, id="minus zero"),
        pytest.param("1e-3", 0.001, id="scientific notation"),
        pytest.param("1", True, id="a boolean"),
        pytest.param("16777217", 16777217, id="more digits than float32 has"),
    ],
)
def test_a_served_row_hashes_as_the_line_of_the_file(cell: str, served: Scalar) -> None:
    assert hash_of_csv(cell, "dark blue") == hash_of_served(served, "dark blue")


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.text())
def test_any_row_survives_file_and_json(number: float, text: str) -> None:
    served = msgspec.json.decode(msgspec.json.encode(number))

    assert hash_of_csv(repr(number), text) == hash_of_served(served, text)


def test_cells_do_not_run_into_each_other() -> None:
    first = FeatureRows((TEXT, TEXT), (np.array(["ab"], np.object_), np.array(["c"], np.object_)))
    second = FeatureRows((TEXT, TEXT), (np.array(["a"], np.object_), np.array(["bc"], np.object_)))

    assert row_hashes(first)[0] != row_hashes(second)[0]


ROWS = FeatureRows(
    (NUMBER, NUMBER, TEXT, NUMBER),
    (
        np.array([1.5, -0.0, np.nan], np.float32),
        np.array([16777216, 1e-3, -np.nan], np.float32),
        np.array(["dark blue", "", "très"], np.object_),
        np.array([0, 7, -1], np.float32),
    ),
)

PINNED = ["a4a0471fde36dc25", "aa865962e88c16cd", "d9682521ca100d8b"]


def test_hashes_are_those_that_stored_models_know_their_rows_by() -> None:
    assert [f"{value:016x}" for value in row_hashes(ROWS).tolist()] == PINNED


def test_a_hash_is_that_of_the_cells_side_by_side() -> None:
    nothing = b"n" + np.float32(np.nan).tobytes()
    expected = hashlib.blake2b(nothing * 2 + b"t\5\0\0\0" + "très".encode() + b"n\0\0\x80\xbf", digest_size=8)

    assert int(row_hashes(ROWS)[2]) == int.from_bytes(expected.digest(), "little")


@given(st.integers(1, 3 * ROWS_AT_ONCE))
@settings(max_examples=10)
def test_hashes_and_sides_are_those_of_each_row_alone_however_many_there_are(rows: int) -> None:
    values = (np.arange(rows) % 5).astype(np.float32)
    hashes = row_hashes(FeatureRows((NUMBER,), (values,)))
    first = row_hashes(FeatureRows((NUMBER,), (np.arange(5, dtype=np.float32),)))
    sides = held_out(keys_of_rows(first), 0.5)

    assert np.array_equal(hashes, first[np.arange(rows) % 5])
    assert np.array_equal(held_out(keys_of_rows(hashes), 0.5), sides[np.arange(rows) % 5])


@given(st.lists(st.integers(0, 5), max_size=20))
def test_distinct_hashes_are_sorted_and_there_once(values: list[int]) -> None:
    assert distinct(np.array(values, np.uint64)).tolist() == sorted(set(values))


def test_hashes_of_numbers_do_not_depend_on_how_many_rows_are_hashed_together() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    rows = FeatureRows((NUMBER,) * 3, tuple(values.T))

    one_by_one = [int(row_hashes(rows[place : place + 1])[0]) for place in range(50)]

    assert row_hashes(rows).tolist() == one_by_one


def test_the_file_of_hashes_is_sorted_little_endian_and_without_repeats() -> None:
    content = encode_hashes(np.array([2**63, 1, 1, 256], dtype=np.uint64))

    assert content == b"".join(value.to_bytes(8, "little") for value in (1, 256, 2**63))
    assert decode_hashes(content).tolist() == [1, 256, 2**63]


@pytest.mark.parametrize(
    ("row", "usable"),
    [
        pytest.param((1.0, "a"), True, id="complete"),
        pytest.param((None, "a"), False, id="missing number"),
        pytest.param((1.0, None), False, id="missing text"),
        pytest.param(("1", "a"), False, id="text for a number"),
        pytest.param((1.0,), False, id="other columns"),
        pytest.param((1e300, "a"), False, id="beyond float32"),
    ],
)
def test_records_that_no_model_could_take_are_left_out(row: tuple[Scalar | None, ...], *, usable: bool) -> None:
    feedback = read_feedback(recorded(*row), (NUMBER, TEXT), None)

    assert (len(feedback), feedback.unusable) == ((1, 0) if usable else (0, 1))


def test_feedback_is_ordered_by_the_time_of_the_prediction() -> None:
    times = [(1, 30.0), (2, 10.0), (3, 20.0), (4, 10.0)]
    records = [LabelledRecord(seq=s, version=1, predicted_at=t, row=(float(s),), label=str(s)) for s, t in times]

    assert read_feedback(as_page(records, {1: (NUMBER,)}), (NUMBER,), None).labels == ("2", "4", "3", "1")


@pytest.mark.parametrize("id_column", [pytest.param("id", id="by id"), pytest.param(None, id="by row")])
def test_rows_stay_on_their_side_while_the_file_grows_and_is_shuffled(id_column: str | None) -> None:
    table = make_table(400)
    source = make_source(id_column=id_column, features=("height", "width", "colour"))
    before = sides(table[:200], read_dataset(read_csv(as_csv(table[:200]), "f"), source, (ENCODE_COLOUR,)))
    shuffled = [table[place] for place in np.random.default_rng(1).permutation(400)]
    after = sides(shuffled, read_dataset(read_csv(as_csv(shuffled), "f"), source, (ENCODE_COLOUR,)))

    assert before == {name: side for name, side in after.items() if name in before}
    assert 0.1 < np.mean(list(after.values())) < 0.3


def sides(table: list[dict[str, str]], dataset: Dataset) -> dict[str, bool]:
    return {row["id"]: bool(side) for row, side in zip(table, dataset.reference, strict=True)}


def test_a_larger_fraction_keeps_the_rows_that_a_smaller_one_held_out() -> None:
    keys = [str(number).encode() for number in range(2000)]
    small, large = held_out(keys, 0.1), held_out(keys, 0.3)

    assert (large | ~small).all()
    assert abs(small.mean() - 0.1) < 0.03
    assert abs(large.mean() - 0.3) < 0.04


@given(lengths=st.lists(st.integers(0, 40), min_size=1, max_size=4).filter(any), most=st.integers(2, 50))
def test_rows_spread_over_parts_are_those_spread_over_all_of_them(lengths: list[int], most: int) -> None:
    numbers = np.arange(sum(lengths), dtype=np.float32)
    columns = (Column(name="x", kind=ColumnKind.NUMBER),)
    ends = np.cumsum(lengths)
    parts = [FeatureRows(columns, (part,)) for part in np.split(numbers, ends[:-1])]

    chosen = spread_over(parts, most).values[0]

    assert len(chosen) == min(most, len(numbers))
    assert len(np.unique(chosen)) == len(chosen)
    assert (chosen[0], chosen[-1]) == (0, numbers[-1])
    assert len(set(np.diff(chosen).tolist())) <= 2  # steps of two lengths
