"""Where the file comes from, and what is said when it is not there."""

import hashlib
from pathlib import Path

import pytest
from tests.unit.runtime.made_runs import make_source
from tests.unit.runtime.memory_hub import MemoryHub

from evermodel.contract import FailureReason
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.source import read_source

CONTENT = b"a,kind\n1,x\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    (tmp_path / "..data").mkdir()
    (tmp_path / "train.csv").write_bytes(CONTENT)
    return tmp_path


@pytest.mark.parametrize("uri", ["configmap://flowers/train.csv", "hub://flowers"])
def test_a_file_is_read_with_its_digest(uri: str, mount: Path) -> None:
    found = read_source(
        make_source(uri=uri, sha256=DIGEST), datasets=MemoryHub(datasets={"flowers": CONTENT}), mount=mount
    )

    assert found == (CONTENT, DIGEST)


def test_a_bundled_set_is_a_csv_file_with_a_digest_of_its_own() -> None:
    source = make_source(uri="sklearn://iris?rows=10:20")

    content, digest = read_source(source, datasets=MemoryHub(), mount=Path("/nowhere"))

    assert content.splitlines()[0] == b"sepal_length_cm,sepal_width_cm,petal_length_cm,petal_width_cm,target"
    assert len(content.splitlines()) == 11
    assert read_source(source, datasets=MemoryHub(), mount=Path("/nowhere"))[1] == digest


@pytest.mark.parametrize(
    ("uri", "reason", "words"),
    [
        pytest.param(
            "configmap://flowers/old.csv",
            FailureReason.DATA_NOT_FOUND,
            "the ConfigMap flowers has no key old.csv; it has train.csv",
            id="missing key",
        ),
        pytest.param(
            "hub://roses", FailureReason.DATA_NOT_FOUND, "no file of that name was uploaded", id="not uploaded"
        ),
        pytest.param("sklearn://lorry", FailureReason.DATA_NOT_FOUND, "choose one of digits, iris", id="not bundled"),
        pytest.param("sklearn://iris?rows=150:", FailureReason.DATA_NOT_FOUND, "it has 150 rows", id="empty slice"),
        pytest.param("sklearn://iris?rows=ten:", FailureReason.DATA_NOT_FOUND, "write START:STOP", id="no slice"),
        pytest.param("https:///key", FailureReason.SPEC_INVALID, "no address of a file", id="no host"),
        pytest.param("s3://bucket/key", FailureReason.SPEC_INVALID, "is none of configmap://", id="unknown scheme"),
    ],
)
def test_a_missing_source_is_told(uri: str, reason: FailureReason, words: str, mount: Path) -> None:
    with pytest.raises(JobError) as failure:
        read_source(make_source(uri=uri), datasets=MemoryHub(), mount=mount)

    assert failure.value.reason is reason
    assert words in failure.value.message


def test_a_missing_configmap_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"kubectl create configmap flowers --from-file=train\.csv") as failure:
        read_source(make_source(uri="configmap://flowers/train.csv"), datasets=MemoryHub(), mount=tmp_path / "none")

    assert failure.value.reason is FailureReason.DATA_NOT_FOUND


def test_another_file_than_the_declared_one_is_refused_with_both_digests(mount: Path) -> None:
    source = make_source(uri="configmap://flowers/train.csv", sha256="ab" * 32)

    with pytest.raises(JobError) as failure:
        read_source(source, datasets=MemoryHub(), mount=mount)

    assert failure.value.reason is FailureReason.DIGEST_MISMATCH
    assert DIGEST in failure.value.message
    assert "ab" * 32 in failure.value.message
