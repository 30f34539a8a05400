"""Jobs as processes with a real hub process: version 1, a world that turns, a better version 2, and failures."""

from __future__ import annotations

import hashlib
import re
import signal
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.contract.job_processes import MODEL, Ended, Hub, Jobs
from tests.unit.runtime.made_runs import (
    as_csv,
    digits,
    make_evaluate_run,
    make_numbers,
    make_source,
    make_train_run,
    turned,
)
from tests.unit.runtime.memory_hub import FLOWERS, PIXELS, MemoryHub, as_records

from evermodel.contract import (
    Column,
    ColumnKind,
    EvaluateRun,
    EvaluationReport,
    FailureReason,
    FailureReport,
    FeedbackRules,
    FreshRange,
    HeldoutUse,
    ImportedModel,
    Manifest,
    ModelFormat,
    Search,
    SearchAlgorithm,
    SearchTable,
    TrainReport,
    TrainRun,
    Trial,
    WarmStart,
    WarmStartMode,
)
from evermodel.tokens import Role, hub_key, role_token
from evermodel_runtime.artifacts.job import Hub as JobHub
from evermodel_runtime.data.rows import FeatureRows, decode_hashes, row_hashes

DAY = 86400.0
DIGITS = make_source(uri="sklearn://digits?rows=:700", target="target")
TRIAL = re.compile(rb"  trial (\d+) of \d+: ")
FOREST = {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 30}}


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path)


def train_run(hub: Hub, **changes: object) -> TrainRun:
    return make_train_run(**{"model": MODEL, "hub_url": hub.url, "data": DIGITS, **FOREST, **changes})


def test_a_turned_camera_from_version_1_to_a_better_version_2(hub: Hub, jobs: Jobs) -> None:
    first = jobs.run("train", train_run(hub))
    assert (first.exit_code, type(first.report)) == (0, TrainReport), first.errors
    judged_first = jobs.run("evaluate", evaluation(hub, 1, first.report, None))
    hub.promote(first.report.manifest)
    images, labels = digits("700:")
    assert hub.label(turned(images[:450]), list(labels[:450])) == 450
    second = jobs.run("train", train_run(hub, version=2, feedback_through=450))
    assert hub.label(turned(images[450:900]), list(labels[450:900])) == 450
    fresh = FreshRange(after=450, through=900)
    judged_second = jobs.run("evaluate", evaluation(hub, 2, second.report, first.report, fresh))

    assert judged_first.exit_code == judged_second.exit_code == 0, judged_second.errors
    assert isinstance(judged_first.report, EvaluationReport)
    assert judged_first.report.reference is not None
    assert judged_first.report.reference.candidate > 0.9
    assert (judged_first.report.reference.champion, judged_first.report.fresh) == (None, None)
    assert isinstance(judged_second.report, EvaluationReport)
    better = judged_second.report.fresh
    assert better is not None
    assert better.champion is not None
    assert (better.rows, better.use) == (450, 1)
    assert better.champion < 0.4
    assert better.candidate > 0.85
    assert better.candidate_only > better.champion_only
    assert judged_second.report.reference is not None
    assert judged_second.report.reference.use == 2
    assert hub.report(2, "train") == second.report
    assert hub.report(2, "evaluate") == judged_second.report


def evaluation(
    hub: Hub, version: int, candidate: TrainReport, champion: TrainReport | None, fresh: FreshRange | None = None
) -> EvaluateRun:
    return make_evaluate_run(
        candidate.manifest,
        candidate.data_sha256,
        model=MODEL,
        version=version,
        hub_url=hub.url,
        data=DIGITS,
        champion=None if champion is None else champion.manifest,
        fresh=fresh,
    )


def test_what_a_job_publishes_is_in_the_hub_by_digest(hub: Hub, jobs: Jobs) -> None:
    hub.upload("flowers.csv", as_csv(make_numbers(200)))

    ended = jobs.run("train", train_run(hub, data=make_source(), estimator="GaussianNB", parameters={}))

    assert ended.exit_code == 0, ended.errors
    content = hub.client().blob(ended.report.manifest)
    manifest = msgspec.json.decode(content, type=Manifest)
    assert (manifest.model, manifest.estimator) == (MODEL, "GaussianNB")
    assert hashlib.sha256(hub.client().blob(manifest.artifact)).hexdigest() == manifest.onnx
    assert len(hub.client().blob(manifest.training_rows)) == 8 * ended.report.rows
    again = jobs.run("train", train_run(hub, data=make_source(), estimator="GaussianNB", parameters={}))
    assert again.report.manifest == ended.report.manifest


def test_a_model_is_uploaded_taken_over_and_judged(hub: Hub, jobs: Jobs) -> None:
    trained = jobs.run("train", train_run(hub)).report
    content = hub.client().blob(hub.manifest(trained.manifest).artifact)
    hub.upload("forest.onnx", content)
    model = ImportedModel(uri="hub://forest.onnx", sha256=hashlib.sha256(content).hexdigest())

    taken = jobs.run("train", train_run(hub, version=2, estimator="", parameters={}, imported=model))
    judged = jobs.run("evaluate", evaluation(hub, 2, taken.report, None))

    assert (taken.exit_code, judged.exit_code) == (0, 0), taken.errors + judged.errors
    assert hub.manifest(taken.report.manifest).onnx == model.sha256
    assert judged.report.reference.candidate > 0.9


def test_a_second_process_learns_on_from_what_the_first_left(hub: Hub, jobs: Jobs) -> None:
    network = {"estimator": "MLPClassifier", "parameters": {"hidden_layer_sizes": [16]}}
    start = WarmStart(mode=WarmStartMode.CONTINUE)
    first = jobs.run("train", train_run(hub, **network, warm_start=start)).report

    made = []
    for seed in ("1", "2"):
        jobs.environ["PYTHONHASHSEED"] = seed
        start = WarmStart(mode=WarmStartMode.CONTINUE, champion=first.manifest)
        ended = jobs.run("train", train_run(hub, version=2, **network, warm_start=start))
        assert ended.exit_code == 0, ended.errors
        made.append(ended.report)

    assert made[0].started_from == first.manifest
    assert made[0].manifest == made[1].manifest
    assert made[0].format is ModelFormat.ONNX


def test_the_operator_hears_what_a_job_is_doing(hub: Hub) -> None:
    hub.client().put_progress(3, "train", "epoch 7 of 60")
    assert hub.progress(3, "train") == "epoch 7 of 60"
    hub.stop()
    hub.client().put_progress(3, "train", "epoch 8 of 60")  # nobody hears it, and nothing comes of that


@pytest.mark.parametrize("estimator", ["ExtraTreesClassifier", "LogisticRegression", "MLPClassifier", "SVC"])
def test_two_processes_make_the_same_bytes(estimator: str, hub: Hub, jobs: Jobs) -> None:
    made = []
    for seed in ("1", "2"):
        jobs.environ["PYTHONHASHSEED"] = seed
        made.append(jobs.run("train", train_run(hub, estimator=estimator, parameters={})).report)

    assert made[0].manifest == made[1].manifest


def test_bad_data_end_with_3_and_are_told_to_operator_and_hub(hub: Hub, jobs: Jobs) -> None:
    table = make_numbers(200)
    table[11]["width"] = "wide"
    (jobs.folder / "source").mkdir()
    (jobs.folder / "source" / "train.csv").write_bytes(as_csv(table))
    run = train_run(hub, data=make_source(uri="configmap://flowers/train.csv"))

    ended = jobs.run("train", run)

    assert ended.exit_code == 3
    assert isinstance(ended.report, FailureReport)
    assert ended.report.reason is FailureReason.DATA_INVALID
    assert "row 12 (line 13) holds 'wide'" in ended.report.message
    assert hub.report(1, "train") == ended.report


def test_an_away_hub_ends_with_4(hub: Hub, jobs: Jobs) -> None:
    hub.stop()
    jobs.environ["EVERMODEL_HUB_PATIENCE_SECONDS"] = "0.5"

    ended = jobs.run("train", train_run(hub, data=make_source()))

    assert ended.exit_code == 4
    assert ended.report.reason is FailureReason.HUB_UNAVAILABLE


def test_a_hub_that_comes_back_in_time_is_waited_for(hub: Hub, jobs: Jobs) -> None:
    hub.upload("flowers.csv", as_csv(make_numbers(200)))
    hub.stop()
    process = jobs.start("train", train_run(hub, data=make_source(), estimator="GaussianNB", parameters={}))
    assert process.stdout is not None
    assert b"GaussianNB on hub://flowers.csv" in process.stdout.readline()  # it is about to ask

    hub.start()
    output, errors = process.communicate(timeout=60)

    assert process.returncode == 0, (output, errors)
    assert isinstance(hub.report(1, "train"), TrainReport)


def test_a_token_of_another_namespace_is_told(hub: Hub, jobs: Jobs) -> None:
    token = role_token(hub_key(b"other", "other"), MODEL, Role.TRAINER)

    ended = jobs.run("train", train_run(hub, data=make_source()), token=token)

    assert ended.exit_code == 1
    assert ended.report.reason is FailureReason.CRASHED
    assert "the hub answered 401" in ended.report.message
    assert token not in ended.output + ended.errors + ended.report.message


@pytest.mark.parametrize(
    ("command", "config"),
    [
        pytest.param("train", b"{}", id="no run"),
        pytest.param("train", b"not JSON", id="no JSON"),
        pytest.param("evaluate", msgspec.json.encode(make_train_run()), id="the run of another command"),
    ],
)
def test_an_unreadable_run_is_told(command: str, config: bytes, jobs: Jobs) -> None:
    ended = jobs.run(command, config)

    assert ended.exit_code == 1
    assert ended.report.reason is FailureReason.CRASHED


def test_records_are_merged_by_age_and_share_and_the_published_rows_are_these(hub: Hub, jobs: Jobs) -> None:
    hub.serve(*(column.name for column in PIXELS[1]))
    images, labels = digits("700:1100")
    for age, stretch in ((80, slice(0, 100)), (20, slice(100, 200)), (10, slice(200, 300)), (0, slice(300, 400))):
        assert hub.label(images[stretch], list(labels[stretch]), age=age * DAY) == 100
    rules = FeedbackRules(as_of=time.time(), max_age=30 * DAY, max_share=0.3, half_life=10 * DAY)

    ended = jobs.run("train", train_run(hub, version=2, feedback_through=400, feedback_rules=rules))

    assert isinstance(ended.report, TrainReport), ended.errors
    source_rows = ended.report.rows - ended.report.feedback_rows
    kept = int(source_rows * 3 / 7)
    assert 200 < kept < 300  # the newest two stretches and part of the one before
    assert ended.report.feedback_rows == kept
    [told] = [line for line in ended.output.splitlines() if "Production records" in line]
    assert (
        f"Production records: {kept} of 400 learnt from beside {source_rows} source rows, left out 100 older than "
        f"maxAge and {300 - kept} beyond maxShare 0.3. Weights by age: 0.25 (source, oldest record) to 1 (newest), "
        "together as"
    ) in told
    weights = np.repeat([0.25, 0.5, 1.0], [source_rows + kept - 200, 100, 100])
    assert f"as {weights.sum() ** 2 / (weights**2).sum():,.0f} equal rows" in told
    learnt = decode_hashes(hub.client().blob(hub.manifest(ended.report.manifest).training_rows))
    columns = tuple(Column(name=f"pixel{place}", kind=ColumnKind.NUMBER) for place in range(64))
    rows = FeatureRows(columns, tuple(np.array(images, dtype=np.float32).T))
    there = np.isin(row_hashes(rows), learnt)
    assert there.tolist() == [False] * (400 - kept) + [True] * kept


def test_weights_by_age_are_refused_where_an_estimator_takes_none(hub: Hub, jobs: Jobs) -> None:
    rules = FeedbackRules(as_of=time.time(), half_life=10 * DAY)

    ended = jobs.run("train", train_run(hub, estimator="KNeighborsClassifier", parameters={}, feedback_rules=rules))

    assert (ended.exit_code, ended.report.reason) == (3, FailureReason.SPEC_INVALID)
    assert "KNeighborsClassifier counts all rows alike: its fit takes no sample_weight" in ended.report.message


def test_a_job_that_is_told_to_stop_ends_at_once_as_a_disruption(hub: Hub, jobs: Jobs) -> None:
    slow = {"estimator": "GradientBoostingClassifier", "parameters": {"n_estimators": 100_000}}
    process = jobs.start("train", train_run(hub, **slow))
    assert process.stdout is not None
    while b"fit on" not in process.stdout.readline():
        assert process.poll() is None

    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 4


@pytest.mark.parametrize("algorithm", [SearchAlgorithm.RANDOM, SearchAlgorithm.TPE])
def test_a_search_that_is_killed_goes_on_where_it_was_and_fits_no_trial_twice(
    algorithm: SearchAlgorithm, hub: Hub, jobs: Jobs
) -> None:
    search = Search(
        parameters={"max_depth": {"low": 2, "high": 40, "int": True}, "max_features": [0.1, 0.3]},
        algorithm=algorithm,
        max_trials=24,
        folds=3,
    )
    run = train_run(hub, search=search)
    ended: list[bytes] = []
    for trials in (3, 13):  # two pods that are gone without a word
        process = jobs.start("train", run)
        assert process.stdout is not None
        while len(ended) < trials:
            line = process.stdout.readline()
            assert line, (ended, process.communicate(), process.returncode)
            ended += [line] if TRIAL.search(line) else []
        process.kill()
        rest, _ = process.communicate()
        assert process.returncode == -signal.SIGKILL
        ended += [line for line in rest.splitlines() if TRIAL.search(line)]

    last = jobs.run("train", run)

    assert last.exit_code == 0, last.errors
    ended += [line for line in last.output.encode().splitlines() if TRIAL.search(line)]
    numbers = [int(found.group(1)) for line in ended if (found := TRIAL.search(line)) is not None]
    assert numbers == list(range(1, 25))
    assert "of 24 trials had ended before" in last.output
    table = msgspec.json.decode(hub.client().blob(manifest_of(hub, last).search or ""), type=SearchTable)
    assert len({msgspec.json.encode(trial.parameters) for trial in table.trials}) == 24
    assert last.report.search.trials == 24
    undisturbed = jobs.run("train", msgspec.structs.replace(run, version=2))
    again = msgspec.structs.replace(manifest_of(hub, undisturbed), version=1)
    assert again == manifest_of(hub, last)


@pytest.mark.parametrize("algorithm", SearchAlgorithm)
def test_three_pods_of_which_one_is_killed_find_what_one_finds_alone(
    algorithm: SearchAlgorithm, hub: Hub, tmp_path: Path
) -> None:
    values = {"max_depth": list(range(1, 8)), "max_features": [0.1, 0.3]}
    alone = Search(parameters=values, algorithm=algorithm, max_trials=14, folds=2)
    run = train_run(hub, search=msgspec.structs.replace(alone, parallelism=3))
    places = [tmp_path / name for name in ("leader", "killed", "stays")]
    for place in places:
        place.mkdir()
    leader, killed, stays = (Jobs(place) for place in places)

    doomed = killed.start("search", run)
    beside = stays.start("search", run)
    assert doomed.stdout is not None
    while b": accuracy" not in (line := doomed.stdout.readline()):
        assert line, doomed.communicate()
    first = leader.start("train", run)
    doomed.kill()
    doomed.communicate()
    ended = leader.ended(first)
    output, errors = beside.communicate(timeout=60)

    assert (doomed.returncode, beside.returncode, ended.exit_code) == (-signal.SIGKILL, 0, 0), (errors, ended.errors)
    assert b"all trials have ended" in output
    assert not (places[2] / "termination-log").exists(), "the training Job alone reports"
    assert TRIAL.search(output)
    tables = [table_in(hub, ended)]
    depends = algorithm is SearchAlgorithm.TPE
    same = msgspec.structs.replace(run, version=2, search=run.search if depends else alone)
    undisturbed = leader.run("train", same)
    assert undisturbed.exit_code == 0, undisturbed.errors
    tables.append(table_in(hub, undisturbed))
    assert tables[0] == tables[1]
    assert [trial.number for trial in tables[0].trials] == list(range(1, len(tables[0].trials) + 1))
    again = msgspec.structs.replace(manifest_of(hub, undisturbed), version=1)
    assert again == manifest_of(hub, ended)


def table_in(hub: Hub, ended: Ended) -> SearchTable:
    return msgspec.json.decode(hub.client().blob(manifest_of(hub, ended).search or ""), type=SearchTable)


def manifest_of(hub: Hub, ended: Ended) -> Manifest:
    return msgspec.json.decode(hub.client().blob(ended.report.manifest), type=Manifest)


@pytest.fixture(params=["memory", "process"])
def job_hub(request: pytest.FixtureRequest, hub: Hub) -> JobHub:
    """Give the hub in memory that unit tests use, and the real one: both must answer alike."""
    rows, labels = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [1, 0, 1]
    if request.param == "process":
        hub.upload("flowers", b"a,b\n")
        hub.serve("height", "width", target="kind")
        hub.label(rows[:2], labels[:2])
        hub.label(rows[2:], labels[2:], version=2)
        return hub.client()
    labelled = as_records(rows[:2], labels[:2]) + as_records(rows[2:], labels[2:], first_seq=3, version=2)
    labelled = tuple(msgspec.structs.replace(record, predicted_at=time.time()) for record in labelled)
    return MemoryHub(datasets={"flowers": b"a,b\n"}, labelled=labelled, targets={1: "kind"})


def test_both_hubs_answer_alike(job_hub: JobHub) -> None:
    def use(kind: str, version: int, after: int = 0, through: int = 0) -> int:
        return job_hub.use_heldout(
            HeldoutUse(set=kind, version=version, rows_key=f"{kind} rows", after=after, through=through)  # type: ignore[arg-type] # one of two
        )

    assert job_hub.blob(job_hub.put_blob(b"artifact")) == b"artifact"
    sizes: list[int] = []
    assert (job_hub.dataset("flowers", sizes.append), job_hub.dataset("roses", sizes.append)) == (b"a,b\n", None)
    assert sizes == [4]
    found = job_hub.records(FreshRange(after=1, through=2))
    assert [(record.seq, record.row, record.label) for record in found.records] == [(2, (3.0, 4.0), "0")]
    everything = job_hub.records(FreshRange(after=0, through=100))
    assert [record.version for record in everything.records] == [1, 1, 2]
    assert (everything.columns, everything.targets) == (FLOWERS, {1: "kind"}), "of version 2 nothing is known"
    assert job_hub.records(FreshRange(after=0, through=100, predicted_after=time.time() + 60)).records == ()
    assert [use("reference", version) for version in (1, 1, 2)] == [1, 1, 2]
    assert [use("fresh", version, 0, 10) for version in (1, 2, 2)] == [1, 2, 2]
    second, first = (Trial(number=number, parameters={"C": number}, rows=9, score=0.5, std=0.1) for number in (2, 1))
    for trial in (second, first, msgspec.structs.replace(first, score=0.9)):
        job_hub.put_trial(1, "a" * 64, trial)
    assert job_hub.trials(1, "a" * 64) == (first, second)
    assert job_hub.trials(1, "b" * 64) == ()


def test_a_job_fetches_nothing_from_its_own_pod(jobs: Jobs, hub: Hub) -> None:
    run = train_run(hub, data=make_source(uri=f"{hub.url}/healthz".replace("127.0.0.1", "localhost"), sha256="ab" * 32))

    ended = jobs.run("train", run)

    assert ended.exit_code == 3
    assert ended.report.reason is FailureReason.SPEC_INVALID
    assert "the pod itself (loopback): nothing is fetched from there" in ended.report.message
