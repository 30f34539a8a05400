"""The record of a run: what it counts, and what it writes."""

import json
from pathlib import Path

import pytest
from tests.demo.journal import Journal
from tests.demo.plot import draw, rolling_accuracy
from tests.unit.demo.snapshots import live, make_snapshot

STATUS = make_snapshot(live=live(0.957, samples=312)).status


def make_journal() -> Journal:
    """Return a run of two versions: the camera is turned after 10 s, the new version answers from 40 s on."""
    journal = Journal()
    journal.begin -= 60.0
    answers = [(second / 10, "1" if second < 400 else "2", not 100 <= second < 400) for second in range(600)]
    journal.tally.outcomes += [(journal.begin + moment, version, right) for moment, version, right in answers]
    return journal


def test_a_stage_keeps_the_figures_of_the_status() -> None:
    journal = Journal()
    entry = journal.enter("healthy", STATUS)
    assert (entry.stage, entry.version, entry.live, entry.samples, entry.failed_requests) == (
        "healthy",
        1,
        0.957,
        312,
        0,
    )


def test_a_failed_request_is_counted_in_the_stage_that_it_failed_in_and_in_no_other() -> None:
    journal = Journal()
    journal.enter("healthy", STATUS)
    journal.tally.failures += ["503", "500"]
    journal.enter("fell", STATUS)
    journal.enter("alarm", STATUS)
    assert [entry.failed_requests for entry in journal.entries] == [0, 2, 0]


def test_the_file_has_every_stage_with_the_agreed_keys() -> None:
    journal = Journal()
    journal.enter("cluster")
    journal.enter("healthy", STATUS)
    stages = json.loads(journal.encoded())["stages"]
    assert [stage["stage"] for stage in stages] == ["cluster", "healthy"]
    assert {key for stage in stages for key in stage} == {
        "stage",
        "at_s",
        "version",
        "live",
        "samples",
        "failed_requests",
    }
    assert stages[0]["version"] is None


def test_the_time_to_a_new_version_is_from_the_turn_to_its_first_answer() -> None:
    journal = make_journal()
    journal.begin += 50.0
    journal.enter("turned", STATUS)  # 10 s after the beginning of the answers
    journal.begin -= 50.0
    turned = journal.at("turned")
    assert turned == pytest.approx(10.0, abs=0.2)
    assert journal.turned_to_serving() == pytest.approx(40.0 - 10.0, abs=0.2)


def test_there_is_no_time_to_a_new_version_before_the_turn() -> None:
    assert make_journal().turned_to_serving() is None


@pytest.mark.parametrize(
    ("right", "window", "shares"),
    [
        pytest.param([True, False], 4, [1.0, 0.5], id="fewer than the window: all of them"),
        pytest.param([False, True, True], 2, [0.0, 0.5, 1.0], id="only the newest count"),
        pytest.param([], 2, [], id="none yet"),
    ],
)
def test_the_clients_accuracy_is_over_the_newest_answers(right: list[bool], window: int, shares: list[float]) -> None:
    assert rolling_accuracy(right, window) == shares


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    journal = make_journal()
    journal.look(STATUS)
    journal.enter("turned", STATUS)
    journal.look(make_snapshot(live=live(0.2)).status)
    path = tmp_path / "demo.png"
    draw(journal, path, threshold=0.93, window=400)
    assert path.read_bytes().startswith(b"\x89PNG")
