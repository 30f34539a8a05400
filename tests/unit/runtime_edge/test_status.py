from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests.unit.runtime_edge import manifests

from evermodel.api.conditions import Condition, ConditionStatus, ConditionType
from evermodel.runtime.status import failing, merge_patch
from evermodel.runtime.views import model_view


@pytest.mark.parametrize(
    ("known", "wanted", "patch"),
    [
        pytest.param({"a": 1}, {"a": 1}, {}, id="the same"),
        pytest.param({"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}, id="changed and added"),
        pytest.param({"a": 1, "b": {"c": 1}}, {"a": 1}, {"b": None}, id="removed"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "d": 3}}, {"a": {"c": None, "d": 3}}, id="inside"),
        pytest.param({"a": [1, 2]}, {"a": [2]}, {"a": [2]}, id="a list is replaced whole"),
    ],
)
def test_a_merge_patch_says_what_differs_and_nothing_else(
    known: dict[str, Any], wanted: dict[str, Any], patch: dict[str, Any]
) -> None:
    assert merge_patch(known, wanted) == patch


def test_a_failure_is_told_beside_what_was_true_before() -> None:
    now = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    ready = Condition(
        type=ConditionType.READY, status=ConditionStatus.TRUE, reason="Serving", message="v1 serves",
        last_transition_time=manifests.CREATED, observed_generation=1,
    )  # fmt: skip
    manifest = manifests.model()
    manifest["status"] = {"observedGeneration": 1, "conditions": [msgspec.to_builtins(ready)]}
    before = model_view(manifest)
    after = failing(before, before.status, "quota exceeded", now)
    retrying = {condition.type: condition for condition in after.conditions}[ConditionType.RECONCILING]
    assert (retrying.reason, retrying.message) == ("Retrying", "quota exceeded")
    assert ready in after.conditions
    assert after.observed_generation == 1
    again = model_view(manifest | {"status": msgspec.to_builtins(after)})
    assert failing(again, again.status, "quota exceeded", now) == after
