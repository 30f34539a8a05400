from __future__ import annotations

from typing import Any

import pytest

from evermodel.resources.drift import is_drifted

BUILT = {
    "metadata": {"name": "iris-v1", "labels": {"evermodel.dev/model": "iris"}},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "nodeSelector": {},
                "containers": [
                    {
                        "name": "evermodel",
                        "args": ["serve"],
                        "env": [{"name": "A", "value": "1"}, {"name": "EMPTY", "value": ""}],
                        "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"memory": "1G"}},
                    }
                ],
            }
        },
    },
}


def found(**container: Any) -> dict[str, Any]:
    """Return what the API server has: defaults filled in, empty values gone, quantities its own way."""
    return {
        "metadata": {"name": "iris-v1", "uid": "1", "labels": {"evermodel.dev/model": "iris", "team": "a"}},
        "spec": {
            "replicas": 2,
            "progressDeadlineSeconds": 600,
            "template": {
                "metadata": {"creationTimestamp": None},
                "spec": {
                    "dnsPolicy": "ClusterFirst",
                    "containers": [
                        {
                            "name": "evermodel",
                            "args": ["serve"],
                            "env": [{"name": "A", "value": "1"}, {"name": "EMPTY"}],
                            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1G"}},
                            **container,
                        }
                    ],
                },
            },
        },
        "status": {"replicas": 2},
    }


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(found(), id="defaults, empty values and quantities as the API server writes them"),
        pytest.param(
            found(env=[{"name": "MORE", "value": "x"}, {"name": "A", "value": "1"}, {"name": "EMPTY"}]),
            id="a variable that somebody added",
        ),
    ],
)
def test_what_others_add_is_theirs(manifest: dict[str, Any]) -> None:
    assert not is_drifted(manifest, BUILT)


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(found() | {"spec": found()["spec"] | {"replicas": 3}}, id="another number of replicas"),
        pytest.param(found() | {"spec": {}}, id="no spec any more"),
        pytest.param(found() | {"metadata": {"name": "iris-v1", "labels": {"team": "a"}}}, id="a label taken away"),
        pytest.param(found() | {"metadata": {"name": "iris-v1"}}, id="all labels taken away"),
        pytest.param(found(env=[{"name": "A", "value": "2"}, {"name": "EMPTY"}]), id="another value"),
        pytest.param(found(env=[{"name": "A", "value": "1"}]), id="a variable taken away"),
        pytest.param(found(args=["serve", "--debug"]), id="another argument"),
        pytest.param(
            found(resources={"requests": {"cpu": "999m", "memory": "1Gi"}, "limits": {"memory": "1G"}}), id="less cpu"
        ),
        pytest.param(found(resources={"requests": {"cpu": "1", "memory": "1Gi"}}), id="no limits any more"),
        pytest.param(
            found(resources={"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}),
            id="a limit in another unit",
        ),
    ],
)
def test_a_field_of_ours_that_was_changed_is_drift(manifest: dict[str, Any]) -> None:
    assert is_drifted(manifest, BUILT)
