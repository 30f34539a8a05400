"""What Jobs and the operator tell and ask: records, uses of held-out rows, trials, reports, lineage."""

from __future__ import annotations

import msgspec

from evermodel.contract import (
    EvaluationReport,
    HeldoutUse,
    HeldoutUseReply,
    LineageEntry,
    OfflineReport,
    RunProgress,
    RunReport,
    Trial,
    TrialBegun,
    TrialsLeft,
)
from evermodel_runtime.hub.blobs import DIGEST
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.http import HTML, JSON, FileResponse, HttpError, Request, Response, decode
from evermodel_runtime.hub.operations import AppendLineage, PutRun, PutTrial, UseHeldout
from evermodel_runtime.hub.reading import read_lineage, read_run, read_trials
from evermodel_runtime.hub.records import read_captures, read_records

_PAGE = 1000
_LARGEST_PAGE = 10_000
_STAGES = ("train", "evaluate", "offline")
_REPORTS = {
    "report": ("evaluate", JSON),
    "report.html": ("evaluate", HTML),
    "offline": ("offline", JSON),
    "offline.html": ("offline", HTML),
}
"""Stage and type of each report that people may read."""
_NOTHING_LOADED = ((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),)
"""A page about foreign data runs no script, whatever is in it."""
_USE = msgspec.json.Decoder(HeldoutUse)
_REPORT: msgspec.json.Decoder[RunReport] = msgspec.json.Decoder(RunReport)
_PROGRESS = msgspec.json.Decoder(RunProgress)
_ENTRY = msgspec.json.Decoder(LineageEntry)
_TRIAL = msgspec.json.Decoder(Trial)
_LEFT = msgspec.json.Decoder(TrialsLeft)


async def get_records(hub: Hub, request: Request) -> Response:
    """Answer one page of labelled captures."""
    model = request.arguments[0]
    after = request.number("after", int, 0)
    through: int | None = request.number("through", int, None)
    predicted_after = request.number("predictedAfter", float, 0.0)
    limit = _page_size(request)
    body = await hub.reader.ask(
        lambda connection: msgspec.json.encode(
            read_records(
                connection,
                hub.blobs,
                model,
                after=after,
                through=through,
                predicted_after=predicted_after,
                limit=limit,
            )
        )
    )
    return Response(body)


async def get_captures(hub: Hub, request: Request) -> Response:
    """Answer one page of captures, for people."""
    model = request.arguments[0]
    after, limit = request.number("after", int, 0), _page_size(request)
    body = await hub.reader.ask(
        lambda connection: msgspec.json.encode(read_captures(connection, hub.blobs, model, after=after, limit=limit))
    )
    return Response(body)


def _page_size(request: Request) -> int:
    limit = request.number("limit", int, _PAGE)
    if not 1 <= limit <= _LARGEST_PAGE:
        raise HttpError(400, f"limit={limit}: a page has 1 to {_LARGEST_PAGE:,} records")
    return limit


async def post_heldout_use(hub: Hub, request: Request) -> Response:
    """Count one use of held-out rows."""
    use = decode(_USE, await request.body(hub.settings.max_body_bytes))
    k: int = await hub.writer.submit(UseHeldout(request.arguments[0], use))
    return Response(msgspec.json.encode(HeldoutUseReply(use=k)))


async def post_trial(hub: Hub, request: Request) -> Response:
    """Keep a trial of a search that has ended."""
    model, version, run = _search(request)
    trial = decode(_TRIAL, await request.body(hub.settings.max_body_bytes))
    await hub.writer.submit(PutTrial(model, version, run, trial))
    return Response(b"{}")


async def get_trials(hub: Hub, request: Request) -> Response:
    """Answer the trials of a search that have ended."""
    model, version, run = _search(request)
    trials = await hub.reader.ask(lambda connection: read_trials(connection, model, version, run))
    return Response(msgspec.json.encode(trials))


async def post_begun_trial(hub: Hub, request: Request) -> Response:
    """Choose the trial that a pod makes next."""
    search = _search(request)
    left = decode(_LEFT, await request.body(hub.settings.max_body_bytes))
    return Response(msgspec.json.encode(TrialBegun(number=hub.trials.begin(search, left))))


def _search(request: Request) -> tuple[str, int, str]:
    model, version, run = request.arguments
    if not (version.isascii() and version.isdecimal()) or DIGEST.fullmatch(run) is None:
        raise HttpError(404, "trials are at /v1/models/{model}/trials/{version}/{sha256 of the run}")
    return model, int(version), run


async def put_run(hub: Hub, request: Request) -> Response:
    """Keep the report of a Job."""
    model, version, stage = _run(request)
    report = decode(_REPORT, await request.body(hub.settings.max_body_bytes))
    await hub.writer.submit(PutRun(model, version, stage, msgspec.json.encode(report), hub.clock()))
    return Response(b"{}")


async def get_run(hub: Hub, request: Request) -> Response:
    """Answer the report of a Job."""
    model, version, stage = _run(request)
    report = await hub.reader.ask(lambda connection: read_run(connection, model, version, stage))
    if report is None:
        raise HttpError(404, f"no {stage} report of version {version} of {model} is here")
    return Response(report)


async def put_progress(hub: Hub, request: Request) -> Response:
    """Keep what a Job is doing."""
    model, version, stage = _run(request)
    hub.progress.put(model, version, stage, decode(_PROGRESS, await request.body(hub.settings.max_body_bytes)))
    return Response(b"{}")


async def get_progress(hub: Hub, request: Request) -> Response:
    """Answer what a Job is doing."""
    model, version, stage = _run(request)
    progress = hub.progress.get(model, version, stage)
    if progress is None:
        raise HttpError(404, f"nothing is known of a {stage} Job of version {version} of {model}")
    return Response(msgspec.json.encode(progress))


async def get_report(hub: Hub, request: Request) -> FileResponse:
    """Send the report of a version's evaluation, as data or as a page."""
    model, version, name = request.arguments
    if not (version.isascii() and version.isdecimal()) or name not in _REPORTS:
        raise HttpError(
            404, "reports are at /v1/models/{model}/versions/{version}/report, …/offline and, as pages, with .html"
        )
    stage, content_type = _REPORTS[name]
    stored = await hub.reader.ask(lambda connection: read_run(connection, model, int(version), stage))
    run = None if stored is None else _REPORT.decode(stored)
    digests = run.report if isinstance(run, EvaluationReport | OfflineReport) else None
    digest = None if digests is None else digests.html if name.endswith(".html") else digests.json
    size = None if digest is None else hub.blobs.size(digest)
    if digest is None or size is None:
        raise HttpError(404, f"no report of version {version} of {model} is here")
    return FileResponse(hub.blobs.path(digest), size, _NOTHING_LOADED, content_type)


def _run(request: Request) -> tuple[str, int, str]:
    model, version, stage = request.arguments
    if not (version.isascii() and version.isdecimal()) or stage not in _STAGES:
        raise HttpError(404, "reports are at /v1/models/{model}/runs/{version}/train, …/evaluate and …/offline")
    return model, int(version), stage


async def post_lineage(hub: Hub, request: Request) -> Response:
    """Keep that a version became champion."""
    entry = decode(_ENTRY, await request.body(hub.settings.max_body_bytes))
    await hub.writer.submit(AppendLineage(request.arguments[0], entry))
    return Response(b"{}")


async def get_lineage(hub: Hub, request: Request) -> Response:
    """Answer the versions that became champion."""
    model = request.arguments[0]
    lineage = await hub.reader.ask(lambda connection: read_lineage(connection, model))
    return Response(msgspec.json.encode(lineage))
