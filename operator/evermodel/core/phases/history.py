"""How many ended versions are kept."""

from __future__ import annotations

from evermodel.api.modelversion import ACTIVE_PHASES, VersionPhase
from evermodel.core import facts, members
from evermodel.core.actions import DeleteVersion
from evermodel.core.observed import Observed
from evermodel.core.step import NOTHING, Step


def step(observed: Observed) -> Step:
    """Delete the oldest ended versions beyond revisionHistoryLimit, except those that later decisions look at.

    Of the runs that found nothing new, the newest is kept: a schedule makes many.
    """
    ended = [version for version in observed.versions if version.status.phase not in ACTIVE_PHASES]
    ended = [version for version in ended if version.status.phase is not VersionPhase.CHAMPION]
    unchanged = [version for version in ended if facts.found_nothing_new(version)][:-1]
    kept = [version for version in ended if version not in unchanged]
    surplus = max(len(kept) - observed.model.spec.revision_history_limit, 0)
    if not (unchanged or surplus):
        return NOTHING
    needed = _needed(observed)
    oldest = [version for version in (*unchanged, *kept[:surplus]) if version.number not in needed]
    return Step(actions=tuple(DeleteVersion(name=version.name) for version in oldest if not version.deleting))


def _needed(observed: Observed) -> set[int]:
    """Return the versions that must stay: of traffic, a count of attempts, an answer to what was tried, a vote."""
    champion = facts.champion(observed)
    needed = {version.number for version in facts.current_attempts(observed)}
    last = (facts.newest_run(observed), facts.last_ended(observed))
    needed |= {version.number for version in last if version is not None}
    if champion is not None:
        for reason in facts.BY_LABELS:
            needed |= {version.number for version in facts.fruitless(observed, champion, reason)}
    readers = facts.readers(observed)
    needed |= {row[-1].number for row in (readers, [one for one in readers if facts.is_promoted(one)]) if row}
    predecessor = champion.spec.parent if champion is not None else None
    needed |= members.declared(observed.model.spec.training).keys()
    numbers = (observed.model.spec.version, facts.traffic_of(observed), predecessor)
    return needed | {number for number in numbers if number is not None}
