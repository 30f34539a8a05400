"""Equal rows are one case twice, unless the source holds each row several times anyway."""

import numpy as np
import pytest

from evermodel.contract import Column, ColumnKind
from evermodel_runtime.data.cases import OFTEN, hashes_of_records, hashes_of_source, rows_repeat
from evermodel_runtime.data.rows import FeatureRows, row_hashes


def kinds(*values: int) -> FeatureRows:
    return FeatureRows.of([(Column(name="kind", kind=ColumnKind.NUMBER), np.array(values, dtype=np.float32))])


@pytest.mark.parametrize(
    ("values", "repeat"),
    [
        pytest.param(range(100), False, id="each row once"),
        pytest.param([*range(50), *range(50)], False, id="each row twice: a file that was joined to itself"),
        pytest.param([*range(25)] * OFTEN, True, id="each row several times"),
        pytest.param([*range(90), *[1] * 10], False, id="one row that was copied"),
    ],
)
def test_rows_repeat(values: list[int], *, repeat: bool) -> None:
    hashes = row_hashes(kinds(*values))
    assert rows_repeat(hashes) is repeat
    assert (len(np.unique(hashes_of_source(hashes))) == len(hashes)) is (repeat or len(set(values)) == len(values))


def test_rows_that_repeat_keep_what_they_are_known_by_while_the_source_grows() -> None:
    hashes = row_hashes(kinds(*[1, 2, 3] * 10))
    longer = row_hashes(kinds(*[1, 2, 3] * 10, 3, 1, 2))
    assert hashes_of_source(longer)[: len(hashes)].tolist() == hashes_of_source(hashes).tolist()


def test_records_are_other_cases_than_equal_rows_of_a_source_whose_rows_repeat() -> None:
    source = kinds(*[1, 2, 3] * 10)
    known = hashes_of_source(row_hashes(source))
    records = hashes_of_records(source, repeated=True)
    assert not np.isin(records, known).any()
    assert not np.isin(row_hashes(source), records).any()
    assert len(np.unique(records)) == len(records)


def test_elsewhere_a_record_is_known_by_its_features() -> None:
    source = kinds(*range(30))
    assert hashes_of_records(source, repeated=False).tolist() == hashes_of_source(row_hashes(source)).tolist()
