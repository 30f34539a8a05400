"""The hub of a replay answers as the real one."""

import random

import msgspec
from tests.unit.hub.asgi import MODEL, HubClient

from evermodel.contract import Column, ColumnKind, FreshRange, HeldoutUse, HeldoutUseReply, LabelledRecord
from evermodel.tokens import Role
from evermodel_runtime.backtest.hub import ReplayHub

COLUMNS = (Column(name="height", kind=ColumnKind.NUMBER),)


def made_uses(count: int) -> list[HeldoutUse]:
    """Uses that overlap, touch and repeat."""
    chance = random.Random(3)
    uses = []
    for _ in range(count):
        after = chance.randrange(0, 1000, 100)
        use = HeldoutUse(
            set=chance.choice(["fresh", "reference"]),
            version=chance.randint(1, 6),
            rows_key=chance.choice(["a", "b"]),
            after=after,
            through=after + chance.choice([100, 200, 400]),
        )
        uses.append(use)
    return uses


async def test_uses_of_held_out_rows_count_as_at_the_real_hub(hub: HubClient) -> None:
    replayed = ReplayHub(b"")
    for use in made_uses(120):
        answer = await hub.request(
            "POST", f"/v1/models/{MODEL}/heldout-uses", msgspec.json.encode(use), role=Role.TRAINER
        )
        assert replayed.use_heldout(use) == msgspec.json.decode(answer.body, type=HeldoutUseReply).use, use


def test_records_are_those_of_the_range_whose_prediction_is_young_enough() -> None:
    ledger = [
        LabelledRecord(seq=seq, version=1, predicted_at=float(seq // 2), row=(seq,), label="1") for seq in range(1, 9)
    ]
    chosen = ReplayHub(b"", COLUMNS, ledger).records(FreshRange(after=2, through=6, predicted_after=1.0))
    assert [record.seq for record in chosen.records] == [4, 5, 6]
    assert chosen.columns == {1: COLUMNS}
