"""Captured rows, from requests to a real pod to what people read at a real hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import requests
from tests.contract.job_processes import KEY, MODEL, Hub
from tests.contract.serving_pods import VERSION, Pod, ready_pod
from tests.integration.waiting import until
from tests.unit.serve.made_models import mixed

from evermodel.contract import CapturedRows, CaptureRules
from evermodel.tokens import Role, role_token


def predict(pod: Pod, *instances: dict[str, Any], **more: Any) -> list[str]:
    """Ask for predictions; returns their ids."""
    answer = requests.post(f"{pod.url}/v1/models/{MODEL}:predict", json={"instances": instances, **more}, timeout=30)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["prediction_ids"])


def captured(hub: Hub) -> CapturedRows:
    """Fetch as docs/operations.md says."""
    headers = {"authorization": f"Bearer {role_token(KEY, '*', Role.UPLOADER)}", "x-evermodel-model": "*"}
    answer = requests.get(f"{hub.url}/v1/models/{MODEL}/captures", headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=CapturedRows)


def until_captured(hub: Hub, rows: int) -> CapturedRows:
    return until(
        f"{rows} captured rows",
        lambda: found if len((found := captured(hub)).captures) == rows else None,
        otherwise=lambda: captured(hub),
    )


def holds(folder: Path, text: str) -> list[str]:
    """Return the files of a folder in whose bytes a text is."""
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def metric(pod: Pod, name: str) -> float:
    lines = requests.get(f"{pod.url}/metrics", timeout=30).text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(name + " ")))


def test_what_is_withheld_never_reaches_the_hub(hub: Hub) -> None:
    rules = CaptureRules(drop=("age",), hash=("city",), max_age=3600.0)
    with ready_pod(hub, mixed(), rules=rules) as pod:
        for city in ("Timbuktu", "Rome", "Timbuktu"):
            predict(pod, {"age": 41.25, "city": city, "size": 0.5})
        rows = [row.row for row in until_captured(hub, 3).captures]

    assert [(row[0], row[2]) for row in rows] == [(None, 0.5)] * 3
    assert rows[0][1] == rows[2][1] != rows[1][1]
    assert all(str(row[1]).startswith("hmac:") for row in rows)
    assert captured(hub).captures[0].version == VERSION
    assert captured(hub).captures[0].withheld == ("age", "city")
    hub.stop()
    assert not holds(hub.folder, "Timbuktu")
    assert not holds(hub.folder, "41.25")
    assert holds(hub.folder, str(rows[0][1])), "the files are those that hold what was captured"


def test_where_a_column_to_be_withheld_is_not_known_nothing_is_captured(hub: Hub) -> None:
    with ready_pod(hub, mixed(), rules=CaptureRules(drop=("town",))) as pod:
        predict(pod, {"age": 41.25, "city": "Timbuktu", "size": 0.5})
        assert "'town', which the model does not take: nothing is captured" in pod.log.read_text()
        assert metric(pod, "evermodel_server_captures_waiting") == 0
        pod.stop()  # it hands over what it has
    assert captured(hub).captures == ()
    hub.stop()
    assert not holds(hub.folder, "Timbuktu")


def test_a_row_is_erased_by_its_id_wherever_it_is(hub: Hub) -> None:
    with ready_pod(hub, mixed(), rules=CaptureRules()) as pod:
        (gone,) = predict(pod, {"age": 41.25, "city": "Timbuktu", "size": 0.5})
        erased = requests.delete(f"{pod.url}/v2/models/{MODEL}/records/{gone}", timeout=30)
        assert (erased.status_code, set(erased.json())) == (200, {"rows"})
        predict(pod, {"age": 41.25, "city": "Oslo", "size": 0.5})
        assert [row.row[1] for row in until_captured(hub, 1).captures] == ["Oslo"]

        (gone,) = predict(pod, {"age": 41.25, "city": "Samarkand", "size": 0.5})
        until_captured(hub, 2)
        assert holds(hub.folder, "Samarkand")
        assert requests.delete(f"{pod.url}/v2/models/{MODEL}/records/{gone}", timeout=30).json() == {"rows": 1}
        assert not holds(hub.folder, "Samarkand")
        assert requests.delete(f"{pod.url}/v2/models/{MODEL}/records/{gone}", timeout=30).json() == {"rows": 0}
        assert requests.delete(f"{pod.url}/v2/models/{MODEL}/records/nonsense", timeout=30).status_code == 404
    assert not holds(hub.folder, "Timbuktu")
