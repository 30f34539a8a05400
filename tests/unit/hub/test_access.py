from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.hub.asgi import KEY, MODEL, Clock, HubClient

from evermodel.contract import HUB_KEY_ENV
from evermodel.tokens import ANY_MODEL, Role, role_token
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.settings import HubSettings, SettingsError, Synchronous, read_settings
from evermodel_runtime.hub.volume import VolumeError

T, S, O, U = Role.TRAINER, Role.SERVER, Role.OPERATOR, Role.UPLOADER  # noqa: E741 - columns of the table
ROUTES = [
    ("GET", f"/v1/blobs/{'0' * 64}", {T, S, O}),
    ("PUT", f"/v1/blobs/{'0' * 64}", {T, O}),
    ("GET", "/v1/datasets/d", {T, U, O}),
    ("PUT", "/v1/datasets/d", {U, O}),
    ("POST", f"/v1/models/{MODEL}/feedback", {S, O}),
    ("POST", f"/v1/models/{MODEL}/heartbeat", {S, O}),
    ("POST", f"/v1/models/{MODEL}/quality", {O}),
    ("GET", f"/v1/models/{MODEL}/drift", {U, O}),
    ("GET", f"/v1/models/{MODEL}/records", {T, O}),
    ("POST", f"/v1/models/{MODEL}/heldout-uses", {T, O}),
    ("POST", f"/v1/models/{MODEL}/trials/1/{'0' * 64}", {T, O}),
    ("GET", f"/v1/models/{MODEL}/trials/1/{'0' * 64}", {T, O}),
    ("PUT", f"/v1/models/{MODEL}/runs/1/train", {T, O}),
    ("GET", f"/v1/models/{MODEL}/runs/1/train", {O}),
    ("GET", f"/v1/models/{MODEL}/versions/1/report", {U, O}),
    ("POST", f"/v1/models/{MODEL}/lineage", {O}),
    ("GET", f"/v1/models/{MODEL}/lineage", {T, O}),
]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    ("method", "path", "allowed"), ROUTES, ids=[f"{method} {path}"[:60] for method, path, _ in ROUTES]
)
async def test_each_url_takes_the_tokens_of_its_roles(
    hub: HubClient, method: str, path: str, allowed: set[Role], role: Role
) -> None:
    answer = await hub.request(method, path, role=role)
    if role in allowed:
        assert answer.status not in {401, 403}
    else:
        assert answer.status == 403
        assert f"this is the {role} token of {MODEL}" in answer.error
        assert "this request needs the" in answer.error


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("", id="no token"),
        pytest.param("Bearer", id="an empty token"),
        pytest.param("Bearer nonsense", id="a wrong token"),
        pytest.param("Bearer müsli", id="a token beyond ASCII"),
        pytest.param(f"Basic {role_token(KEY, MODEL, Role.OPERATOR)}", id="another scheme"),
        pytest.param(f"Bearer {role_token(KEY, 'other', Role.OPERATOR)}", id="the token of another model"),
    ],
)
async def test_without_a_token_of_the_model_nothing_is_told(hub: HubClient, authorization: str) -> None:
    answer = await hub.request("GET", f"/v1/models/{MODEL}/records", headers={"authorization": authorization})
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "needs the trainer or operator token of digits" in answer.error


async def test_blobs_and_datasets_ask_whose_token_it_is(hub: HubClient) -> None:
    answer = await hub.request("GET", "/v1/datasets/d", headers={"x-evermodel-model": ""})
    assert answer.status == 401
    assert "x-evermodel-model" in answer.error
    assert (await hub.request("PUT", "/v1/datasets/d", role=Role.UPLOADER, model=ANY_MODEL)).status == 200


@pytest.mark.parametrize("role", [Role.UPLOADER, Role.OPERATOR])
@pytest.mark.parametrize(
    ("named", "token_of", "status"),
    [
        pytest.param(MODEL, MODEL, 404, id="a token of the model"),
        pytest.param(ANY_MODEL, ANY_MODEL, 404, id="a token of the namespace"),
        pytest.param("other", "other", 403, id="a token of another model, named as it is"),
        pytest.param(MODEL, "other", 401, id="a token of another model, as this one's"),
        pytest.param(ANY_MODEL, "other", 401, id="a token of another model, as the namespace's"),
        pytest.param("", "other", 403, id="a token of another model, of which nothing is said"),
    ],
)
async def test_a_report_is_shown_to_its_own_model_and_to_the_namespace(
    hub: HubClient, named: str, token_of: str, status: int, role: Role
) -> None:
    headers = {"x-evermodel-model": named, "authorization": f"Bearer {role_token(KEY, token_of, role)}"}
    answer = await hub.request("GET", f"/v1/models/{MODEL}/versions/1/report", headers=headers)
    assert answer.status == status  # 404: it may ask, and there is none


async def test_a_model_has_the_name_of_an_object(hub: HubClient) -> None:
    assert (await hub.request("GET", "/v1/models/A%20b/records")).status == 400


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/models", "/v1/models/digits", "/v1/models/digits/x", "/v2/blobs/x"])
async def test_other_urls_are_not_there(hub: HubClient, path: str) -> None:
    answer = await hub.request("GET", path)
    assert answer.status == 404
    assert path in answer.error


async def test_another_method_is_told_which_are_taken(hub: HubClient) -> None:
    answer = await hub.request("DELETE", f"/v1/blobs/{'0' * 64}")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, PUT")


async def test_probes_and_metrics_need_no_token(hub: HubClient) -> None:
    await hub.outcomes([True] * 3)
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await hub.request("GET", path, role=None)).status == 200
    text = (await hub.request("GET", "/metrics", role=None)).body.decode()
    assert 'evermodel_hub_labels_total{model="digits",result="Accepted"} 3.0' in text
    assert 'evermodel_hub_request_seconds_count{route="/v1/models/*/feedback",status="200"} 1.0' in text
    assert "evermodel_hub_alarms 0.0" in text


@pytest.mark.usefixtures("hub")
def test_a_volume_has_one_hub(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="another hub is using"):
        Hub.on_volume(HubSettings(key=KEY, data=tmp_path), Clock())


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        pytest.param({}, "EVERMODEL_HUB_KEY is not set", id="no key"),
        pytest.param({HUB_KEY_ENV: "xyz"}, "is not hexadecimal", id="no hexadecimal key"),
        pytest.param({HUB_KEY_ENV: KEY, "EVERMODEL_HUB_PORT": "x"}, "EVERMODEL_HUB_PORT is 'x'", id="no number"),
        pytest.param({HUB_KEY_ENV: KEY, "EVERMODEL_LABEL_MAX_AGE_S": "-1"}, "above 0", id="a negative number"),
        pytest.param({HUB_KEY_ENV: KEY, "EVERMODEL_HUB_SYNCHRONOUS": "x"}, "must be FULL", id="no such mode"),
    ],
)
def test_settings_that_cannot_be_used_name_their_variable(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read_settings(environ)


def test_settings_have_safe_defaults() -> None:
    settings = read_settings({HUB_KEY_ENV: KEY, "EVERMODEL_HUB_PORT": "81"})
    assert settings == HubSettings(key=KEY, data=Path("/data"), port=81)
    assert settings.synchronous is Synchronous.FULL
