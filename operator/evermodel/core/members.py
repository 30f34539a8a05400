"""Earlier versions as members of an ensemble: which there are, and what stands in the way of one."""

from __future__ import annotations

from collections.abc import Mapping

from evermodel.api.modeldeployment import CHAMPION, Training
from evermodel.api.modelversion import SERVABLE_PHASES
from evermodel.core import facts
from evermodel.core.observed import Observed

PLACE = "spec.training.ensemble.members"


def manifests(observed: Observed) -> Mapping[int | str, str]:
    """Return the manifests of the versions that passed their gate, by number, and of the champion, by its name."""
    passed = [version for version in observed.versions if version.status.phase in SERVABLE_PHASES]
    known: dict[int | str, str] = {
        version.number: version.status.manifest for version in passed if version.status.manifest is not None
    }
    champion = facts.champion(observed)
    if champion is not None and champion.number in known:
        known[CHAMPION] = known[champion.number]
    return known


def declared(training: Training) -> Mapping[int, int]:
    """Return the versions that are declared by their number, and the place of each among the members."""
    members = () if training.ensemble is None else training.ensemble.members
    return {member.version: place for place, member in enumerate(members) if isinstance(member.version, int)}


def obstacle(observed: Observed, training: Training) -> str | None:
    """Say why a declared version cannot be a member; None where all can."""
    known = manifests(observed)
    wrong = next((number for number in declared(training) if number not in known), None)
    if wrong is None:
        return None
    there = ", ".join(str(number) for number in sorted(known, key=str) if number != CHAMPION)
    choice = f"Choose one of {there}." if there else "There is none yet that did."
    return f"{PLACE}[{declared(training)[wrong]}].version: {_state(observed, wrong)} {choice}"


def _state(observed: Observed, number: int) -> str:
    version = facts.version_of(observed, number)
    if version is not None:
        return f"version {number} is {version.status.phase}, and a member must have passed its gate."
    gone = number <= facts.latest_number(observed)
    return (
        f"version {number} was deleted."
        if gone
        else f"there is no version {number}, and a member must have passed its gate."
    )
