"""Runs on new content: NOW is 12:00, and version 1 was promoted at 6:00, made from data-1."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.made import (
    ALARM,
    NOW,
    actions_of,
    known,
    make_new,
    make_observed,
    make_quality,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.modelversion import VersionFailure, VersionPhase, VersionTrigger
from evermodel.contract import LineageEntry
from evermodel.core.actions import CreateVersion, EventType
from evermodel.core.observed import Observed, SourceView, VersionView
from evermodel.core.phases.changed_data import may_run_at
from evermodel.core.questions import quality_query
from evermodel.core.sources import ConfigMapKey, Upload, watched_source
from evermodel.core.timestamps import rfc3339

CHANGED = VersionTrigger(reason="DataChanged", message="It has new content.")
FIRST = VersionTrigger(reason="FirstVersion", message="The model has no version yet.")
WORSE = VersionFailure(reason="Rejected", message="It was no better.")
BAD = VersionFailure(reason="DataInvalid", message="Row 3 has no number.")
NEW = SourceView(sha256="data-2")


def of(uri: str = "hub://rows.csv", **change: Any) -> Any:
    return make_spec(data={"train": {"uri": uri}}, **change)


SPEC = of()
V1 = make_version(1, spec=SPEC)


def run(
    number: int,
    phase: VersionPhase,
    *,
    read: str | None,
    began_for: str | None = None,
    ended_ago: timedelta = timedelta(hours=3),
    trigger: VersionTrigger = CHANGED,
    failure: VersionFailure | None = WORSE,
) -> VersionView:
    return make_version(
        number,
        phase,
        spec=SPEC,
        trigger=trigger,
        run={"source_sha256": began_for},
        data_sha256=read,
        failure=failure,
        finished_at=rfc3339(NOW - ended_ago),
    )


def look(*versions: VersionView, source: SourceView = NEW, spec: Any = SPEC, **change: Any) -> Observed:
    return make_observed(*(versions or (V1,)), spec=spec, source=source, **change)


def alarmed(spec: Any) -> Observed:
    quality = make_quality(alarm=ALARM, records=900, records_counted=0, last_seq=1400)
    observed = look(V1, spec=spec, quality=quality)
    return replace(observed, quality_query=quality_query(observed))


FAILED_FIRST = run(1, VersionPhase.FAILED, read=None, began_for="data-1", trigger=FIRST, failure=BAD)


@pytest.mark.parametrize(
    ("observed", "begins"),
    [
        pytest.param(look(), True, id="content that no version has read"),
        pytest.param(look(source=SourceView(sha256="data-1")), False, id="content that the champion has read"),
        pytest.param(look(source=SourceView()), False, id="a source that is not there or was not looked at"),
        pytest.param(
            look(V1, run(2, VersionPhase.REJECTED, read="data-2")), False, id="content that a refused version has read"
        ),
        pytest.param(
            look(V1, run(2, VersionPhase.FAILED, read=None, began_for="data-2", failure=BAD)),
            False,
            id="content that a run was begun for and could not read",
        ),
        pytest.param(
            look(V1, run(2, VersionPhase.REJECTED, read="data-1", began_for="data-2")),
            True,
            id="content that a run was begun for, which read what was there before",
        ),
        pytest.param(
            look(V1, run(2, VersionPhase.SUPERSEDED, read=None, began_for="data-2", failure=None)),
            True,
            id="content of a run that was broken off",
        ),
        pytest.param(
            look(V1, run(2, VersionPhase.TRAINING, read=None, began_for="data-2", failure=None)),
            False,
            id="not while a run is under way",
        ),
        pytest.param(
            look(
                make_version(1, VersionPhase.ARCHIVED, spec=SPEC),
                make_version(2, spec=SPEC, data_sha256="data-2"),
                source=SourceView(sha256="data-1"),
            ),
            False,
            id="content that came back",
        ),
        pytest.param(look(spec=of(retraining={"mode": "Observe"})), False, id="not in mode Observe"),
        pytest.param(look(spec=of(retraining={"mode": "Manual"})), False, id="not in mode Manual"),
        pytest.param(look(spec=of(paused=True)), False, id="not paused"),
        pytest.param(look(spec=of(version=1)), False, id="not pinned"),
        pytest.param(alarmed(of(retraining={"data": {"includeFeedback": True}})), False, id="labels say when"),
        pytest.param(alarmed(SPEC), True, id="after an alarm that labels cannot cure"),
        pytest.param(look(FAILED_FIRST), True, id="what was corrected after a first run on bad data"),
        pytest.param(
            look(FAILED_FIRST, source=SourceView(sha256="data-1")), False, id="bad data that is as it was are left"
        ),
        pytest.param(
            look(run(1, VersionPhase.FAILED, read=None, trigger=FIRST, failure=BAD)),
            True,
            id="what was uploaded after a first run that found nothing",
        ),
        pytest.param(
            look(make_version(1, spec=SPEC, data_sha256=None)),
            False,
            id="nothing to compare with: no champion's digest",
        ),
    ],
)
def test_a_run_begins(observed: Observed, *, begins: bool) -> None:
    created = actions_of(observed, CreateVersion)
    assert [action.spec.trigger.reason for action in created] == (["DataChanged"] if begins else [])
    assert [action.spec.source_sha256 for action in created] == ([observed.source.sha256] if begins else [])


@pytest.mark.parametrize(
    ("fruitless", "pause"),
    [
        pytest.param(0, timedelta(minutes=10), id="cooldown after a promotion"),
        pytest.param(1, timedelta(minutes=10), id="cooldown after one that was no better"),
        pytest.param(2, timedelta(minutes=20), id="doubled"),
        pytest.param(3, timedelta(minutes=40), id="doubled again"),
        pytest.param(9, timedelta(minutes=40), id="no longer than after maxAttempts"),
    ],
)
def test_a_source_that_flaps_makes_few_runs(fruitless: int, pause: timedelta) -> None:
    ago = timedelta(minutes=1)
    first = make_version(1, spec=SPEC, promoted_at=rfc3339(NOW - ago))
    runs = [run(number + 2, VersionPhase.REJECTED, read=f"flap-{number}", ended_ago=ago) for number in range(fruitless)]
    observed = look(first, *runs)
    assert may_run_at(observed) == NOW - ago + pause
    assert actions_of(observed, CreateVersion) == []
    assert f"may start at {rfc3339(NOW - ago + pause)}" in planned(observed).status.retraining.data_changed
    assert len(actions_of(observed, CreateVersion, NOW - ago + pause)) == 1


def test_before_there_is_a_champion_the_pause_is_short() -> None:
    observed = look(run(1, VersionPhase.FAILED, read=None, trigger=FIRST, failure=BAD, ended_ago=timedelta(0)))
    assert may_run_at(observed) == NOW + timedelta(seconds=30)


def test_an_adopted_version_has_read_what_the_hub_remembers() -> None:
    entry = LineageEntry(
        number=4,
        training_hash=V1.spec.training_hash,
        manifest="manifest-4",
        holdout=0.96,
        holdout_set="reference",
        promoted_at=0.0,
        data_sha256="data-2",
    )
    (action,) = actions_of(make_new(SPEC, lineage=(entry,), source=SourceView(sha256="data-3")), CreateVersion)
    assert (action.spec.adopted_manifest, action.spec.source_sha256) == ("manifest-4", "data-2")
    adopted = replace(make_version(4, spec=SPEC, data_sha256=None), spec=action.spec)
    assert actions_of(look(adopted), CreateVersion) == []
    (again,) = actions_of(look(adopted, source=SourceView(sha256="data-3")), CreateVersion)
    assert again.spec.trigger.reason == "DataChanged"


def test_the_source_is_looked_at_at_the_interval_of_monitoring() -> None:
    declared = of(monitoring={"interval": "20s"})
    bare = look(FAILED_FIRST, source=SourceView(sha256="data-1"), spec=declared)
    assert planned(bare).requeue_after == timedelta(seconds=20)


def test_mode_observe_tells_of_new_content_once() -> None:
    observed = known(look(source=SourceView(sha256="data-1"), spec=of(retraining={"mode": "Observe"})))
    changed = replace(observed, source=NEW)
    (event,) = planned(changed).events
    assert (event.type, event.reason) == (EventType.NORMAL, "WouldRetrain")
    assert event.message.startswith("hub://rows.csv has new content (sha256 data-2), which no version has learnt from")
    assert planned(known(changed)).events == ()


def test_a_source_that_may_not_be_read_says_so() -> None:
    source = SourceView(error="the operator may not read ConfigMaps here")
    told = planned(look(source=source)).status.retraining.data_changed
    assert told == "Whether hub://rows.csv has changed is not known: the operator may not read ConfigMaps here."


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        pytest.param(of(), Upload("rows.csv"), id="an upload"),
        pytest.param(of("configmap://tables/rows.csv"), ConfigMapKey("tables", "rows.csv"), id="a ConfigMap"),
        pytest.param(of("https://files.example/rows.csv"), None, id="no web server"),
        pytest.param(of("pvc://claim/rows.csv"), None, id="no claim"),
        pytest.param(of("sklearn://digits"), None, id="no bundled data"),
        pytest.param(make_spec(data={"train": {"uri": "hub://a", "sha256": "ab" * 32}}), None, id="none with a digest"),
        pytest.param(of(retraining={"triggers": ["Accuracy"]}), None, id="none where Data starts nothing"),
        pytest.param(of(retraining={"triggers": ["Data"]}), Upload("rows.csv"), id="where Data is named"),
    ],
)
def test_what_is_watched(spec: Any, source: object) -> None:
    assert watched_source(spec) == source
