"""Labels and erasing by callers' own ids, from requests to real pods to the figures of a real hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import grpc
import msgspec
import pytest
import requests
from tests.contract.job_processes import MODEL, Hub, free_port
from tests.contract.serving_pods import VERSION, Pod, ready_pod, serving
from tests.contract.test_capture import captured, holds, predict, until_captured
from tests.contract.test_grpc import Caller, typed
from tests.unit.serve.made_models import numeric

from evermodel.contract import CallerIds, CaptureRules, QualityQuery

ACCEPT = CaptureRules(caller_ids=CallerIds.ACCEPT)
ORDER = "order-4711/ä"
ROW, OTHER = {"a": 0, "b": 5, "c": 1}, {"a": 7, "b": 2, "c": 1}


@pytest.fixture
def pod(hub: Hub) -> Iterator[Pod]:
    with ready_pod(hub, numeric(), rules=ACCEPT) as started:
        yield started


@contextmanager
def next_version(hub: Hub, pod: Pod) -> Iterator[Pod]:
    """Serve the same model as a later version."""
    with serving(hub, msgspec.structs.replace(pod.config, version=VERSION + 1)) as later:
        yield later


def label(pod: Pod, *labels: tuple[str, int]) -> list[dict[str, Any]]:
    """Send labels; returns what became of each."""
    body = {"labels": [{"id": one, "label": value} for one, value in labels]}
    answer = requests.post(f"{pod.url}/v2/models/{MODEL}/feedback", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


def statuses(pod: Pod, *labels: tuple[str, int]) -> list[str]:
    return [result["status"] for result in label(pod, *labels)]


def erase(pod: Pod, record_id: str) -> tuple[int, Any]:
    path = quote(record_id, safe="")
    answer = requests.delete(f"{pod.url}/v2/models/{MODEL}/records/{path}", timeout=30)
    return answer.status_code, answer.json()


def labels_of(hub: Hub, version: int) -> tuple[int, float | None]:
    """Return how many labels a version has, and its accuracy."""
    query = QualityQuery(version=version, threshold=0.9, tolerance=0.01, false_alarm_every=1e5, window=100)
    quality = hub.quality(query)
    return quality.labels, None if quality.window is None else quality.window.value


def test_a_label_by_the_callers_id_counts_once_and_the_first_is_kept(hub: Hub, pod: Pod) -> None:
    (issued,) = predict(pod, ROW, ids=[ORDER])
    until_captured(hub, 1)

    assert [(result["id"], result["status"]) for result in label(pod, (ORDER, 1))] == [(ORDER, "Accepted")]
    (again, conflict, by_the_signed) = label(pod, (ORDER, 1), (ORDER, 2), (issued, 1))

    assert [result["status"] for result in (again, conflict, by_the_signed)] == ["Duplicate"] * 3
    assert again["message"] == "this prediction has this label already; it counts once"
    assert "was labelled '1' before, which was kept" in conflict["message"]
    assert labels_of(hub, VERSION) == (1, 1.0)


def test_ids_of_a_batch_are_those_of_its_rows(hub: Hub, pod: Pod) -> None:
    predict(pod, ROW, OTHER, ids=["a", "b"])
    until_captured(hub, 2)

    assert statuses(pod, ("b", 0), ("a", 0), ("c", 0)) == ["Accepted", "Accepted", "Unknown"]
    assert labels_of(hub, VERSION) == (2, 0.5)


def test_a_late_label_is_credited_to_the_version_that_predicted(hub: Hub, pod: Pod) -> None:
    predict(pod, ROW, ids=[ORDER])
    pod.stop()  # it hands over what it has
    with next_version(hub, pod) as later:
        predict(later, OTHER, ids=["order-4712"])
        until_captured(hub, 2)
        assert statuses(later, (ORDER, 2), ("order-4712", 0)) == ["Accepted", "Accepted"]

    assert (labels_of(hub, VERSION), labels_of(hub, VERSION + 1)) == ((1, 0.0), (1, 1.0))


def test_an_id_of_different_predictions_labels_none_of_them_until_the_signed_id_does(hub: Hub, pod: Pod) -> None:
    (first,), (second,) = predict(pod, ROW, ids=[ORDER]), predict(pod, OTHER, ids=[ORDER])
    until_captured(hub, 2)

    (refused,) = label(pod, (ORDER, 1))
    assert refused["status"] == "Ambiguous"
    assert "give each row an id of its own" in refused["message"]
    assert labels_of(hub, VERSION)[0] == 0
    assert statuses(pod, (first, 1), (second, 0)) == ["Accepted", "Accepted"]
    assert labels_of(hub, VERSION) == (2, 1.0)


def test_a_request_sent_again_with_its_id_is_one_prediction(hub: Hub, pod: Pod) -> None:
    for _ in range(3):
        predict(pod, ROW, ids=[ORDER])
    until_captured(hub, 3)

    assert statuses(pod, (ORDER, 1), (ORDER, 1)) == ["Accepted", "Duplicate"]
    assert labels_of(hub, VERSION)[0] == 1


def test_ids_and_their_labels_outlive_the_hub_and_it_never_stores_the_ids(hub: Hub, pod: Pod) -> None:
    predict(pod, ROW, OTHER, ids=["order-4711", "order-4712"])
    until_captured(hub, 2)
    assert statuses(pod, ("order-4711", 1)) == ["Accepted"]

    hub.stop()
    stored = [name for name in holds(hub.folder, "order-471") if name != "pod.log"]
    hub.start()

    assert statuses(pod, ("order-4711", 1), ("order-4712", 0)) == ["Duplicate", "Accepted"]
    assert labels_of(hub, VERSION)[0] == 2
    assert stored == []


def test_all_rows_of_an_id_are_erased_by_it(hub: Hub, pod: Pod) -> None:
    predict(pod, ROW, OTHER, ROW, ids=[ORDER, ORDER, "kept"])
    until_captured(hub, 3)

    assert erase(pod, ORDER) == (200, {"rows": 2})
    assert len(captured(hub).captures) == 1
    assert statuses(pod, (ORDER, 1), ("kept", 1)) == ["Unknown", "Accepted"]
    assert erase(pod, ORDER) == (200, {"rows": 0})


def test_where_they_are_not_accepted_a_guess_labels_and_erases_nothing(hub: Hub) -> None:
    with ready_pod(hub, numeric(), rules=CaptureRules()) as pod:
        predict(pod, ROW)
        until_captured(hub, 1)
        assert statuses(pod, (ORDER, 1)) == ["Forged"]
        assert erase(pod, ORDER)[0] == 404
        body = {"instances": [ROW], "ids": [ORDER]}
        refused = requests.post(f"{pod.url}/v1/models/{MODEL}:predict", json=body, timeout=30)
    assert refused.status_code == 400
    assert "declare monitoring.capture.callerIds: Accept" in refused.json()["error"]


def test_by_tensors_and_by_grpc_ids_come_as_the_protocol_can_hold_them(hub: Hub) -> None:
    with ready_pod(hub, numeric(), rules=ACCEPT, grpc_port=free_port()) as pod:
        tensor = {"name": "X", "shape": [1, 3], "datatype": "FP64", "data": list(ROW.values())}
        url = f"{pod.url}/v2/models/{MODEL}/infer"
        requests.post(url, json={"inputs": [tensor], "id": "rest"}, timeout=30).raise_for_status()
        rows = tensor | {"shape": [2, 3], "data": [*ROW.values(), *OTHER.values()]}
        parameters = {"ids": ["rest, first", "rest, second"]}
        requests.post(url, json={"inputs": [rows], "parameters": parameters}, timeout=30).raise_for_status()
        caller = Caller(pod)
        one = typed("X", [1, 3], "FP64", fp64_contents=list(ROW.values()))
        two = typed("X", [2, 3], "FP64", fp64_contents=[*ROW.values(), *OTHER.values()])
        caller.infer(one, id="grpc")
        caller.infer(two, parameters={"ids": {"string_param": "grpc-1,grpc-2"}})
        for wrong in ({"string_param": "grpc-1"}, {"int64_param": 7}):
            with pytest.raises(grpc.RpcError, match="ids must be 2 texts of 1 to 256 characters: one for each row"):
                caller.infer(two, parameters={"ids": wrong})
        caller.channel.close()
        until_captured(hub, 6)

        ids = ["rest", "rest, first", "rest, second", "grpc", "grpc-1", "grpc-2"]
        assert statuses(pod, *[(one, 1) for one in ids]) == ["Accepted"] * 6
