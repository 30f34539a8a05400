from __future__ import annotations

from datetime import timedelta

import pytest

from evermodel.runtime.settings import SettingsError, read_settings

IMAGE = {"EVERMODEL_RUNTIME_IMAGE": "runtime"}


def test_everything_but_the_image_has_a_default() -> None:
    settings = read_settings(IMAGE)
    assert settings.namespaces == ()
    assert settings.workers == 8
    assert settings.operator_hub_url.format(namespace="team") == "http://evermodel-hub.team.svc:8080"
    lease = settings.lease
    assert lease.renew_interval + lease.renew_deadline < lease.duration == timedelta(seconds=15)
    assert lease.retry_period == timedelta(seconds=1)


def test_what_is_given_is_taken() -> None:
    settings = read_settings(
        IMAGE | {"EVERMODEL_NAMESPACES": "a, b,", "EVERMODEL_HUB_URL": "http://x/", "EVERMODEL_DRAIN": "0s"}
    )
    assert settings.namespaces == ("a", "b")
    assert settings.hub_url == settings.operator_hub_url == "http://x"
    assert settings.drain == timedelta(0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("EVERMODEL_RUNTIME_IMAGE", "", id="no image"),
        pytest.param("EVERMODEL_WORKERS", "0", id="no worker"),
        pytest.param("EVERMODEL_WORKERS", "many", id="no number"),
        pytest.param("EVERMODEL_DRAIN", "5", id="a duration without a unit"),
        pytest.param("EVERMODEL_LEASE_DURATION", "10ms", id="a lease nobody can keep"),
        pytest.param("EVERMODEL_HUB_URL", "http://{cluster}", id="a template of something else"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings(IMAGE | {name: text})
