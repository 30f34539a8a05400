"""What crosses a process means the same on both sides."""

import msgspec
import pytest

from evermodel.contract import (
    DataSource,
    EvaluateRun,
    FailureReason,
    FailureReport,
    RunConfig,
    RunReport,
    TrainRun,
    label_text,
)
from evermodel.tokens import Role, hub_key, key_fingerprint, role_token

SOURCE = DataSource(uri="sklearn://digits", target="target")
TRAIN = TrainRun(namespace="shop", model="digits", version=1, hub_url="http://hub", data=SOURCE, estimator="SVC")
EVALUATE = EvaluateRun(
    namespace="shop",
    model="digits",
    version=1,
    hub_url="http://hub",
    data=SOURCE,
    data_sha256="0" * 64,
    candidate="1" * 64,
)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        pytest.param(3, "3", id="an integer class"),
        pytest.param(3.0, "3", id="the same class from a client that only knows floats"),
        pytest.param("3", "3", id="the same class as text"),
        pytest.param(2.5, "2.5", id="a fractional class keeps its fraction"),
        pytest.param(True, "true", id="a boolean is not the number 1"),
        pytest.param("cat", "cat", id="text stays as it is"),
    ],
)
def test_one_class_has_one_text(label: str | float | bool, text: str) -> None:  # noqa: FBT001 - a label may be a boolean
    assert label_text(label) == text


@pytest.mark.parametrize("run", [pytest.param(TRAIN, id="training"), pytest.param(EVALUATE, id="evaluation")])
def test_a_run_survives_the_wire_and_keeps_its_kind(run: RunConfig) -> None:
    assert msgspec.json.decode(msgspec.json.encode(run), type=RunConfig) == run


def test_a_report_of_failure_is_told_apart_from_success() -> None:
    report = FailureReport(reason=FailureReason.DATA_INVALID, message="Column 'age' is empty in row 3.")
    decoded: RunReport = msgspec.json.decode(msgspec.json.encode(report), type=RunReport)
    assert decoded == report


def test_tokens_differ_by_namespace_model_and_role() -> None:
    keys = [hub_key(b"master", "shop"), hub_key(b"master", "bank"), hub_key(b"other", "shop")]
    tokens = {role_token(key, model, role) for key in keys for model in ("digits", "churn") for role in Role}
    assert len(tokens) == len(keys) * 2 * len(Role)


def test_a_fingerprint_gives_nothing_of_the_key_away() -> None:
    key = hub_key(b"master", "shop")
    assert key_fingerprint(key) not in key
