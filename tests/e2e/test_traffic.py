"""200 requests a second while pods and versions come and go: none fails; and beside them a model that nobody calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from tests.demo.clusters import OPERATOR, SYSTEM, wait_for_operator
from tests.demo.stages import Snapshot
from tests.e2e import audit, manifests, namespaces, soak
from tests.e2e.audit import Write
from tests.e2e.figures import Figure
from tests.e2e.installation import Installation
from tests.e2e.load import Load, photographs
from tests.e2e.namespaces import Namespace, eventually, serves_version

from evermodel.kube.client import Object

PER_SECOND = 200
ROUNDS = soak.count(2, soak=10)
"""Promotions, each followed by a pin back to version 1."""
MOST_WRITES = 16
MOST_EVENTS = 6
QUIET = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncalled:
    """A model that nobody calls."""

    namespace: str
    writes: tuple[Write, ...]
    """What the operator wrote until it was ready."""
    events: tuple[Object, ...]
    """Those that the operator wrote about it until then."""
    since: datetime
    """When it had become ready, and its status had all that there is to say."""


@pytest.fixture(scope="module")
def uncalled(installation: Installation, shared_name: str) -> Uncalled:
    """Give a model that has become ready in a namespace of its own."""
    if not installation.is_local:
        pytest.skip("what the operator writes is read from the audit log of the local cluster")
    return asyncio.run(_ready(installation, shared_name))


async def _ready(installation: Installation, name: str) -> Uncalled:
    def has_asked_the_hub(snapshot: Snapshot) -> bool:
        """The hub was asked for its live accuracy."""
        return namespaces.serves_current_spec(snapshot) and snapshot.status.live is not None

    async with namespaces.opened(installation, name) as namespace:
        await namespace.apply(manifests.iris())
        await namespace.until("iris", has_asked_the_hub)
        await namespace.event("iris", "Promoted")
        return Uncalled(
            namespace=name,
            writes=tuple(audit.writes(name)),
            events=tuple(await namespace.events("iris")),
            since=datetime.now(UTC),
        )


@pytest.mark.usefixtures("uncalled")  # its minute of quiet passes meanwhile
async def test_no_request_fails_while_pods_and_versions_come_and_go(namespace: Namespace, figure: Figure) -> None:
    await namespace.apply(manifests.weak_digits(revisionHistoryLimit=50))
    await namespace.becomes_ready("digits")
    url = f"{await namespace.address('digits')}/v2/models/digits/infer"

    async with Load(url=url, bodies=photographs(200, seed=1), per_second=PER_SECOND).running() as load:

        async def moves_to(version: int) -> None:
            await namespace.until("digits", serves_version(version))

            async def answered() -> bool | None:
                return load.is_answered_by(version)

            await eventually(answered, f"clients are answered by version {version}")

        async def one_pod_is_left() -> bool | None:
            return len(await namespace.serving_pods("digits")) == 1 or None

        for replicas in (2, 1):
            await namespace.kubectl("scale", "model/digits", f"--replicas={replicas}")
            await namespace.becomes_ready("digits")
        await eventually(one_pod_is_left, "the second pod is gone")
        for number in range(2, 2 + ROUNDS):
            await namespace.patch("digits", {"version": None, "training": manifests.forest(20 + number)})
            await moves_to(number)
            await namespace.patch("digits", {"version": 1})
            await moves_to(1)

    assert load.failures == []
    assert load.answers.total() == load.sent
    assert set(load.answers) == {str(number) for number in range(1, 2 + ROUNDS)}
    assert load.rate > 0.98 * PER_SECOND, "the load was not what it should be: the machine is too busy for this test"
    figure(f"requests during two changes of replicas and {2 * ROUNDS} of the version", load.sent)
    figure("requests a second", load.rate)


def test_a_first_version_costs_few_writes(uncalled: Uncalled) -> None:
    overhead = [write for write in uncalled.writes if write.is_overhead]
    assert 0 < len(overhead) <= MOST_WRITES, [(write.verb, write.resource) for write in overhead]
    repeated = [write for write, times in Counter(map(_content, uncalled.writes)).items() if times > 1]
    assert repeated == []
    assert 0 < len(uncalled.events) <= MOST_EVENTS
    assert {event["reason"] for event in uncalled.events} == {"FirstVersion", "Promoted"}


async def test_a_model_without_traffic_costs_no_write_and_none_after_a_restart_of_the_operator(
    uncalled: Uncalled, installation: Installation
) -> None:
    name, since = uncalled.namespace, uncalled.since
    assert await audit.first_writes(name, since=since, until=since + QUIET) == []

    await installation.kubectl("-n", SYSTEM, "rollout", "restart", OPERATOR)
    await wait_for_operator(installation.kubectl)

    async def has_looked() -> bool | None:
        figure = f'evermodel_threshold{{model="iris",namespace="{name}"}}'
        return any(figure in one for one in await installation.operator_metrics()) or None

    await eventually(has_looked, "the new operator has looked at the model")
    assert audit.writes(name, since) == []


def _content(write: Write) -> tuple[str, str, str, str]:
    return write.verb, write.resource, write.name, write.body
