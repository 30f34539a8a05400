"""The namespace's hub is there before the first run, and its key before its pod."""

import pytest
from tests.unit.core.made import make_new, planned

from evermodel.core.actions import ApplyHub, CreateVersion, EnsureSecrets
from evermodel.core.observed import HubView
from evermodel.core.phases.hub import KINDS

BOTH = frozenset({"StatefulSet", "Service"})


@pytest.mark.parametrize(
    ("hub", "actions"),
    [
        pytest.param(
            HubView(), [EnsureSecrets(hub=True, model=False), ApplyHub(kinds=BOTH)], id="no hub: the key, then the hub"
        ),
        pytest.param(
            HubView(applied=frozenset({"StatefulSet"})), [ApplyHub(kinds=frozenset({"Service"}))], id="no Service"
        ),
        pytest.param(HubView(applied=KINDS), [], id="all there, not ready yet"),
        pytest.param(
            HubView(applied=KINDS, missing_secret=True),
            [EnsureSecrets(hub=True, model=False)],
            id="its pod misses the key",
        ),
    ],
)
def test_the_hub(hub: HubView, actions: list[object]) -> None:
    assert list(planned(make_new(hub=hub)).actions) == actions


def test_no_run_begins_in_the_plan_that_makes_the_hub() -> None:
    assert not any(isinstance(action, CreateVersion) for action in planned(make_new(hub=HubView())).actions)
