"""Drift from end to end: reference bins that training left, a serving pod that counts, a hub that compares."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.contract.test_serving import KEY, MODEL, Process, Site, site, until
from tests.unit.serve.made_models import Made, by_skops, digest, numeric

from evermodel.contract import Drift
from evermodel.tokens import Role, role_token
from evermodel_runtime.artifacts.bins import put_reference
from evermodel_runtime.artifacts.scorer import load_scorer
from evermodel_runtime.data.bins import bins_of_rows
from evermodel_runtime.data.rows import FeatureRows

__all__ = ["site"]  # the fixture
ROWS = 500


class Blobs(dict[str, bytes]):
    def put_blob(self, content: bytes) -> str:
        self[digest(content)] = content
        return digest(content)

    def blob(self, sha256: str) -> bytes:
        return self[sha256]


def drawn(rows: int, *, shift: float = 0.0) -> FeatureRows:
    values = np.random.default_rng(rows).normal(shift, 1, size=(rows, 3)).astype(np.float32)
    return FeatureRows(numeric().manifest.columns, tuple(values.T))


def with_bins(made: Made) -> tuple[Made, Blobs]:
    """As training publishes it: bins of the rows learnt from, and of the answers to others."""
    blobs, learnt = Blobs(), drawn(4000)
    scorer = load_scorer(made.onnx, made.manifest)
    named = put_reference(blobs, bins_of_rows(learnt), scorer, drawn(1001), print)
    return Made(made.onnx, msgspec.structs.replace(made.manifest, bins=named), made.estimator), blobs


async def serving(site: Site, made: Made) -> Process:
    counted, blobs = with_bins(made)
    await site.start_hub()
    for sha256, body in {**blobs, counted.digest: counted.manifest_bytes, counted.manifest.artifact: made.onnx}.items():
        async with site.http.put(
            f"{site.hub.url}/v1/blobs/{sha256}", data=body, headers=site.token(Role.TRAINER)
        ) as response:
            assert response.status in (200, 201), await response.text()
    pod = await site.ready_pod(counted)
    await until(lambda: counts(pod))
    return pod


async def send(site: Site, pod: Process, rows: FeatureRows, *, at_once: int) -> None:
    matrix = rows.matrix()
    for start in range(0, len(rows), at_once):
        part = matrix[start : start + at_once]
        body = {"inputs": [{"name": "X", "shape": part.shape, "datatype": "FP64", "data": part.ravel().tolist()}]}
        status, answer = await site.post(pod, "infer", body)
        assert status == 200, answer


async def drift_of(site: Site, rows: int = 1) -> Drift | None:
    """Ask about the newest window that has so many rows; None until there is one."""
    token = {"authorization": f"Bearer {role_token(KEY, '*', Role.UPLOADER)}", "x-evermodel-model": "*"}
    async with site.http.get(
        f"{site.hub.url}/v1/models/{MODEL}/drift?window=1&minSamples={rows}", headers=token
    ) as response:
        if response.status == 404:
            return None
        return msgspec.json.decode(await response.read(), type=Drift)


async def counted(site: Site, rows: int) -> bool:
    return await drift_of(site, rows) is not None


def shown(drift: Drift | None) -> Any:
    assert drift is not None
    return {column.name: column.psi for column in (*drift.features, drift.prediction)}


@pytest.mark.parametrize("made", [pytest.param(numeric(), id="ONNX"), pytest.param(by_skops(numeric()), id="skops")])
async def test_rows_that_were_served_are_compared_with_those_learnt_from(site: Site, made: Made) -> None:
    pod = await serving(site, made)
    await send(site, pod, drawn(ROWS), at_once=1)
    await until(lambda: counted(site, ROWS))
    at_rest = shown(await drift_of(site, ROWS))
    assert set(at_rest) == {"a", "b", "c", "prediction"}
    assert max(at_rest.values()) < 0.1

    await send(site, pod, drawn(4 * ROWS, shift=1.5), at_once=100)
    await until(lambda: counted(site, 5 * ROWS))
    moved = shown(await drift_of(site, 4 * ROWS))
    assert min(moved[name] for name in "abc") > 0.5
    assert moved["prediction"] < 0.1  # all columns moved alike: the largest is the largest as often as before


def names(drift: Drift | None) -> Sequence[str]:
    return () if drift is None else [f"{problem.kind} {problem.column}" for problem in drift.problems]


async def test_what_the_model_does_not_take_is_told(site: Site) -> None:
    pod = await serving(site, numeric())
    await send(site, pod, drawn(100), at_once=1)
    for _ in range(20):
        status, _ = await site.post(pod, "infer", {"inputs": []})
        assert status == 400
    await until(lambda: told(site, "Refused "))


async def told(site: Site, problem: str) -> bool:
    return problem in names(await drift_of(site))


async def test_the_last_counts_reach_the_hub_before_the_process_ends(site: Site) -> None:
    pod = await serving(site, numeric())
    await send(site, pod, drawn(50), at_once=10)
    assert pod.popen is not None
    pod.popen.terminate()
    assert await pod.exit_code(15) == 0
    drift = await drift_of(site)
    assert drift is not None
    assert drift.rows == 50


async def counts(pod: Process) -> bool:
    return b"drift is counted" in pod.log.read_bytes()
