"""200 requests a second while versions come and go: none fails."""

from __future__ import annotations

from tests.e2e import manifests, soak
from tests.e2e.load import Load, photographs
from tests.e2e.namespaces import Namespace, eventually, serves_version

PER_SECOND = 200
ROUNDS = soak.count(2, soak=10)
"""Promotions, each followed by a pin back to version 1."""


async def test_no_request_fails_while_versions_are_promoted_and_pinned_back(namespace: Namespace) -> None:
    await namespace.apply(manifests.weak_digits(revisionHistoryLimit=50))
    await namespace.becomes_ready("digits")
    url = f"{await namespace.address('digits')}/v2/models/digits/infer"

    async with Load(url=url, bodies=photographs(200, seed=1), per_second=PER_SECOND).running() as load:

        async def moves_to(version: int) -> None:
            await namespace.until("digits", serves_version(version))

            async def answered() -> bool | None:
                return load.is_answered_by(version)

            await eventually(answered, f"clients are answered by version {version}")

        for number in range(2, 2 + ROUNDS):
            await namespace.patch("digits", {"version": None, "training": manifests.forest(20 + number)})
            await moves_to(number)
            await namespace.patch("digits", {"version": 1})
            await moves_to(1)

    assert load.failures == []
    assert load.answers.total() == load.sent
    assert set(load.answers) == {str(number) for number in range(1, 2 + ROUNDS)}
    assert load.rate > 0.98 * PER_SECOND, "the load was not what it should be: the machine is too busy for this test"
