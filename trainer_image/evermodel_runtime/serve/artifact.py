"""From a manifest's digest to a model that has answered once; nothing is served before every digest is right."""

import asyncio
import hashlib
import logging

import msgspec

from evermodel.contract import Manifest, Reference, ServeConfig
from evermodel_runtime.serve.binning import BinCounter
from evermodel_runtime.serve.hub_client import HubClient, HubUnreachableError
from evermodel_runtime.serve.model import FILES, ModelLoadError, ModelRunError, ServedModel, load_model
from evermodel_runtime.serve.readiness import Readiness

FIRST_RETRY_SECONDS = 0.25
LONGEST_RETRY_SECONDS = 15.0

log = logging.getLogger(__name__)


class NotLoadedError(Exception):
    """Why there is no model to serve yet, in words."""


async def load_when_possible(hub: HubClient, config: ServeConfig, readiness: Readiness) -> ServedModel:
    """Load the artifact, trying again with growing pauses; ``readiness.reason`` always says what is missing.

    A corrupt artifact is tried again too: the hub may be restored from a backup, and the pod must not need a push.
    """
    pause = FIRST_RETRY_SECONDS
    while True:
        try:
            return await load(hub, config)
        except NotLoadedError as error:
            reason = str(error)
            if reason != readiness.reason:
                readiness.reason = reason
                log.warning("not ready", extra={"reason": reason, "manifest": config.manifest})
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_RETRY_SECONDS)


async def counter_when_possible(hub: HubClient, manifest: Manifest) -> BinCounter | None:
    """Fetch what drift is measured against, however long it takes: predictions do not wait for it.

    None for a version that was made without; such versions have no drift.
    """
    digest, pause = manifest.bins, FIRST_RETRY_SECONDS
    while digest is not None:
        try:
            body = await _verified(hub, "reference bins", digest)
            counter = BinCounter(digest, msgspec.json.decode(body, type=Reference))
        except (NotLoadedError, msgspec.MsgspecError) as error:
            log.warning("drift cannot be counted yet", extra={"reason": str(error)})
        else:
            log.info("drift is counted")
            return counter
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_RETRY_SECONDS)
    log.info("drift is not counted: the version was made without reference bins")
    return None


async def load(hub: HubClient, config: ServeConfig) -> ServedModel:
    """Download, verify, build and warm up."""
    manifest = _read_manifest(await _verified(hub, "manifest", config.manifest))
    if (manifest.model, manifest.version) != (config.model, config.version):
        log.warning(
            "the manifest was written for another version",
            extra={"manifest_model": manifest.model, "manifest_version": manifest.version},
        )
    content = await _verified(hub, FILES[manifest.format], manifest.artifact)
    try:
        model = await asyncio.to_thread(load_model, content, manifest)
        await asyncio.to_thread(model.warm_up)
    except ModelLoadError as error:
        raise NotLoadedError(str(error)) from error
    except ModelRunError as error:
        raise NotLoadedError(f"the model does not answer: {error}") from error
    return model


async def _verified(hub: HubClient, what: str, sha256: str) -> bytes:
    try:
        answer = await hub.blob(sha256)
    except HubUnreachableError as error:
        raise NotLoadedError(f"waiting for the hub at {hub.url}: {error}") from error
    if not answer.ok:
        raise NotLoadedError(f"waiting for the {what} {sha256}: the hub answers {answer.status}, {answer.error()}")
    actual = await asyncio.to_thread(lambda: hashlib.sha256(answer.body).hexdigest())
    if actual != sha256:
        raise NotLoadedError(f"artifact digest mismatch: the {what} should be {sha256}, the hub's bytes are {actual}")
    return answer.body


def _read_manifest(body: bytes) -> Manifest:
    try:
        return msgspec.json.decode(body, type=Manifest)
    except msgspec.MsgspecError as error:
        raise NotLoadedError(f"the manifest cannot be read: {error}") from error
