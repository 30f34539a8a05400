"""The pages for people say what the types say."""

from __future__ import annotations

import re

import pytest
from tests.unit.api.schemas import walk

from evermodel.api import crd, reference
from evermodel.api.conditions import Reason
from evermodel.api.generated import CHECKOUT, stale
from evermodel.contract import FailureReason, LabelStatus

OPERATIONS = CHECKOUT / "docs" / "operations.md"


def test_the_page_is_what_the_types_say() -> None:
    assert stale(reference.files(), CHECKOUT) == [], "run `python -m evermodel.api.reference`"


def test_every_field_is_on_the_page() -> None:
    page = reference.page()
    for kind in crd.KINDS:
        for part in ("spec", "status"):
            for path, schema in walk(crd.object_schema(kind)["properties"][part]):
                for name in schema.get("properties", {}):
                    assert f"| `{name}` |" in page, f"{part}{path}.{name}"


def test_every_link_leads_to_a_heading() -> None:
    page = reference.page()
    headings = {
        re.sub(r"[^\w-]", "", line.lower().replace(" ", "-")) for line in re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    }
    targets = set(re.findall(r"\]\(#([\w-]+)\)", page))
    # A root's heading also says which part of the object it is.
    assert {target for target in targets if not any(heading.startswith(target) for heading in headings)} == set()


def test_rows_have_as_many_cells_as_their_header() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", reference.page(), re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1, table


@pytest.mark.parametrize("word", [*Reason, *FailureReason, *LabelStatus])
def test_the_operations_page_explains_every_word_that_a_status_or_an_answer_can_hold(word: str) -> None:
    assert re.search(rf"^\| `{word}` \|.*\w", OPERATIONS.read_text("utf-8"), re.MULTILINE)
