"""What serving pods are told to capture."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.unit.resources import made

from evermodel import contract
from evermodel.api.modeldeployment import CaptureRules, Monitoring, Offline, Retraining, RetrainingData
from evermodel.contract import SERVE_ENV, ServeConfig
from evermodel.resources import BUILDERS

IGNORE = contract.CallerIds.IGNORE
FEEDBACK = Retraining(data=RetrainingData(include_feedback=True))


def told(**changes: Any) -> str:
    spec = made.changed(**changes)
    pods = BUILDERS.deployment(made.model(spec), made.version(spec), made.SETTINGS, 1)["spec"]["template"]["spec"]
    return next(str(one["value"]) for one in pods["containers"][0]["env"] if one["name"] == SERVE_ENV)


def config(**changes: Any) -> ServeConfig:
    return msgspec.json.decode(told(**changes), type=ServeConfig)


def monitoring(**rules: Any) -> Monitoring:
    return Monitoring(capture=CaptureRules(**rules))


@pytest.mark.parametrize(
    ("changes", "captured"),
    [
        pytest.param({}, None, id="nothing by itself"),
        pytest.param({"retraining": FEEDBACK}, contract.CaptureRules(caller_ids=IGNORE), id="everything to learn from"),
        pytest.param(
            {"monitoring": Monitoring(offline=Offline(schedule="0 4 * * *"))},
            contract.CaptureRules(caller_ids=IGNORE),
            id="everything to score by the clock",
        ),
        pytest.param(
            {"monitoring": monitoring()},
            contract.CaptureRules(max_age=30 * 24 * 3600.0, max_records=200_000, caller_ids=IGNORE),
            id="rules alone are enough",
        ),
        pytest.param(
            {"retraining": FEEDBACK, "monitoring": monitoring(sample=0.1, max_age="1h30m", max_records=500)},
            contract.CaptureRules(sample=0.1, max_age=5400.0, max_records=500, caller_ids=IGNORE),
            id="how many and how long",
        ),
        pytest.param(
            {"monitoring": monitoring(drop=("a",), hash=("b", "c"), max_age="1h")},
            contract.CaptureRules(drop=("a",), hash=("b", "c"), max_age=3600.0, max_records=200_000, caller_ids=IGNORE),
            id="what is withheld",
        ),
        pytest.param(
            {"monitoring": monitoring(caller_ids=contract.CallerIds.ACCEPT)},
            contract.CaptureRules(max_age=30 * 24 * 3600.0, max_records=200_000, caller_ids=contract.CallerIds.ACCEPT),
            id="ids of callers",
        ),
    ],
)
def test_pods_capture_what_the_spec_says(changes: dict[str, Any], captured: contract.CaptureRules | None) -> None:
    assert config(**changes).captured == captured


@pytest.mark.parametrize("changes", [{}, {"retraining": FEEDBACK}])
def test_pods_of_a_spec_without_rules_stay_as_an_earlier_operator_made_them(changes: dict[str, Any]) -> None:
    assert "captureRules" not in told(**changes)


@pytest.mark.parametrize(
    ("rules", "captures"),
    [
        pytest.param({}, True, id="whole rows"),
        pytest.param({"drop": ("a",)}, False, id="a dropped column"),
        pytest.param({"hash": ("a",)}, False, id="a hashed column"),
    ],
)
def test_an_image_that_knows_no_rules_sends_nothing_that_they_withhold(rules: Any, *, captures: bool) -> None:
    assert config(monitoring=monitoring(**rules)).capture is captures
