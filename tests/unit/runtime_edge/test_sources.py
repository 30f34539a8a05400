"""What a source contains is asked no more often than declared, and known as long as there is no other answer."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evermodel.core.observed import ModelKey, SourceView
from evermodel.core.sources import ConfigMapKey, Upload, WatchedSource
from evermodel.kube.errors import Forbidden, KubeError, NotFound, Transient
from evermodel.kube.kinds import CONFIG_MAP, Kind
from evermodel.metrics.provider import ProviderUnavailable
from evermodel.runtime.sources import SourceCache, content_of

KEY = ModelKey(namespace="team", name="digits")
START = datetime(2030, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(seconds=30)
TABLE = ConfigMapKey("tables", "rows.csv")


class Cluster:
    """A hub and an API server of which each has one thing."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.uploaded: str | None = "one"
        self.text = "a,b\n1,2\n"
        self.failure: KubeError | ProviderUnavailable | None = None

    async def dataset(self, key: ModelKey, name: str) -> str | None:
        self.asked.append(f"{key.namespace} {name}")
        if self.failure is not None:
            raise self.failure
        return self.uploaded

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        assert kind is CONFIG_MAP
        self.asked.append(f"{namespace} {name}")
        if self.failure is not None:
            raise self.failure
        return {"data": {"rows.csv": self.text}}


async def read(cache: SourceCache, seconds: float, source: WatchedSource = TABLE) -> SourceView:
    return await cache.read(KEY, source, interval=INTERVAL, now=START + timedelta(seconds=seconds))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_a_look_serves_for_the_declared_interval() -> None:
    cluster = Cluster()
    cache = SourceCache(cluster, cluster)
    for seconds in (0, 1, 29):
        assert (await read(cache, seconds)).sha256 == digest("a,b\n1,2\n")
    cluster.text = "a,b\n3,4\n"
    assert (await read(cache, 29.9)).sha256 == digest("a,b\n1,2\n")
    assert (await read(cache, 30)).sha256 == digest("a,b\n3,4\n")
    assert cluster.asked == ["team tables"] * 2


async def test_another_source_is_looked_at_at_once_and_shares_no_digest() -> None:
    cluster = Cluster()
    cache = SourceCache(cluster, cluster)
    await read(cache, 0)
    assert await read(cache, 1, Upload("rows.csv")) == SourceView(sha256="one")
    cluster.failure = ProviderUnavailable("the hub does not answer")
    assert await read(cache, 2, Upload("others.csv")) == SourceView()
    assert cluster.asked == ["team tables", "team rows.csv", "team others.csv"]


@pytest.mark.parametrize(
    ("failure", "source", "seen"),
    [
        pytest.param(ProviderUnavailable("away"), Upload("a"), SourceView(sha256="one"), id="a hub that is away"),
        pytest.param(Transient("503"), TABLE, SourceView(sha256=digest("a,b\n1,2\n")), id="an API server that is away"),
        pytest.param(NotFound("404"), TABLE, SourceView(), id="a ConfigMap that is gone"),
        pytest.param(
            Forbidden("403"),
            TABLE,
            SourceView(
                error="the operator may not read ConfigMaps here; bind it the ClusterRole of this release",
            ),
            id="a role of an earlier release",
        ),
    ],
)
async def test_after(failure: KubeError | ProviderUnavailable, source: WatchedSource, seen: SourceView) -> None:
    cluster = Cluster()
    cache = SourceCache(cluster, cluster)
    await read(cache, 0, source)
    cluster.failure = failure
    assert await read(cache, 60, source) == seen


@pytest.mark.parametrize(
    ("config_map", "content"),
    [
        pytest.param({"data": {"k": "é"}}, "é".encode(), id="text"),
        pytest.param({"binaryData": {"k": base64.b64encode(b"\x00\xff").decode()}}, b"\x00\xff", id="bytes"),
        pytest.param({"data": {"other": "x"}}, None, id="another key"),
        pytest.param({}, None, id="nothing"),
        pytest.param({"data": {"k": ""}}, b"", id="an empty file"),
    ],
)
def test_what_a_job_finds_mounted(config_map: dict[str, Any], content: bytes | None) -> None:
    assert content_of(config_map, "k") == content
