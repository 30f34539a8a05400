"""How many ended versions are kept."""

from __future__ import annotations

from evermodel.api.modelversion import ACTIVE_PHASES, VersionPhase
from evermodel.core import facts
from evermodel.core.actions import DeleteVersion
from evermodel.core.observed import Observed
from evermodel.core.step import NOTHING, Step


def step(observed: Observed) -> Step:
    """Delete the oldest ended versions beyond revisionHistoryLimit, except those that later decisions look at."""
    ended = [version for version in observed.versions if version.status.phase not in ACTIVE_PHASES]
    ended = [version for version in ended if version.status.phase is not VersionPhase.CHAMPION]
    surplus = len(ended) - observed.model.spec.revision_history_limit
    if surplus <= 0:
        return NOTHING
    needed = _needed(observed)
    oldest = [version for version in ended[:surplus] if version.number not in needed and not version.deleting]
    return Step(actions=tuple(DeleteVersion(name=version.name) for version in oldest))


def _needed(observed: Observed) -> set[int]:
    """Return the versions that must stay: they carry traffic, a count of attempts, or the answer to what was tried."""
    champion = facts.champion(observed)
    needed = {version.number for version in facts.current_attempts(observed)}
    last = (facts.newest_run(observed), facts.last_ended(observed))
    needed |= {version.number for version in last if version is not None}
    if champion is not None:
        needed |= {version.number for version in facts.fruitless(observed, champion)}
    predecessor = champion.spec.parent if champion is not None else None
    numbers = (observed.model.spec.version, facts.traffic_of(observed), predecessor)
    return needed | {number for number in numbers if number is not None}
