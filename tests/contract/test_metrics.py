"""What the hub and serving pods show Prometheus, after traffic that makes every family appear."""

from __future__ import annotations

import pytest
from tests.contract.test_drift import drawn, send, with_bins
from tests.contract.test_serving import Process, Site, site, until
from tests.promlint.build import problems
from tests.unit.serve.made_models import Made, by_skops, numeric

from evermodel.contract import DriftQuery
from evermodel.tokens import Role

__all__ = ["site"]  # the fixture
SERVER = {
    "evermodel_server_batch_rows",
    "evermodel_server_captures_dropped_total",
    "evermodel_server_captures_passed_over_total",
    "evermodel_server_captures_waiting",
    "evermodel_server_inference_errors_total",
    "evermodel_server_inference_refused_total",
    "evermodel_server_inference_seconds",
    "evermodel_server_labels_waiting",
    "evermodel_server_model_info",
    "evermodel_server_prediction_rows_total",
    "evermodel_server_ready",
    "evermodel_server_requests_total",
}
HUB = {
    "evermodel_hub_alarms",
    "evermodel_hub_blobs_removed_total",
    "evermodel_hub_captures_dropped_total",
    "evermodel_hub_captures_refused_total",
    "evermodel_hub_captures_total",
    "evermodel_hub_data_problems",
    "evermodel_hub_drift_psi",
    "evermodel_hub_drifted_columns",
    "evermodel_hub_labels_total",
    "evermodel_hub_predictions_total",
    "evermodel_hub_records",
    "evermodel_hub_request_seconds",
    "evermodel_hub_volume_free_bytes",
    "evermodel_hub_volume_size_bytes",
    "evermodel_hub_writes_waiting",
}


async def metrics_of(site: Site, process: Process) -> bytes:
    async with site.http.get(f"{process.url}/metrics") as response:
        assert response.status == 200
        return await response.read()


def families(text: bytes) -> set[str]:
    """Return the names of metrics that have at least one figure."""
    samples = [line.split(b"{")[0].split(b" ")[0].decode() for line in text.splitlines() if not line.startswith(b"#")]
    series = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in samples}
    return {name for name in series if not name.endswith("_created")}


async def drift_is_shown(site: Site) -> bool:
    await site.quality(drift=DriftQuery(window=1, min_samples=1))
    return b"evermodel_hub_drift_psi{" in await metrics_of(site, site.hub)


@pytest.mark.parametrize("served", [pytest.param(numeric(), id="ONNX"), pytest.param(by_skops(numeric()), id="skops")])
async def test_promtool_finds_nothing_in_the_metrics_of_pod_and_hub(site: Site, served: Made) -> None:
    made, blobs = with_bins(served)
    await site.start_hub()
    for sha256, body in {**blobs, made.digest: made.manifest_bytes, made.manifest.artifact: made.onnx}.items():
        async with site.http.put(
            f"{site.hub.url}/v1/blobs/{sha256}", data=body, headers=site.token(Role.TRAINER)
        ) as response:
            assert response.status in (200, 201)
    pod = await site.ready_pod(made, capture=True)
    await until(lambda: says(pod, b"drift is counted"))
    await send(site, pod, drawn(20), at_once=5)
    status, _ = await site.post(pod, "infer", {"inputs": []})
    assert status == 400
    status, _ = await site.post(pod, "feedback", {"labels": [{"id": await site.predict(pod), "label": 1}]})
    assert status == 200
    await until(lambda: drift_is_shown(site))

    shown, held = await metrics_of(site, pod), await metrics_of(site, site.hub)

    assert problems(shown) == []
    assert problems(held) == []
    assert families(shown) == SERVER
    assert families(held) == HUB
    assert b'evermodel_server_batch_rows_bucket{le="1.0"} 1.0' in shown
    assert b"evermodel_server_batch_rows_count 5.0" in shown
    assert b"evermodel_server_batch_rows_sum 21.0" in shown


async def says(pod: Process, line: bytes) -> bool:
    return line in pod.log.read_bytes()
