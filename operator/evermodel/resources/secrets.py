"""Secrets with derived tokens: created, never read, and never changed, for their name tells the key's fingerprint."""

from __future__ import annotations

from base64 import b64encode

from evermodel.core import names
from evermodel.core.actions import Manifest
from evermodel.core.observed import ModelView
from evermodel.resources.ownership import owned_by_model
from evermodel.tokens import ANY_MODEL, Role, hub_key, key_fingerprint, role_token


def build_hub_secret(master: bytes, namespace: str) -> Manifest:
    """Return the Secret with the hub's key and the token that people upload data with; the hub's volume needs it."""
    key = hub_key(master, namespace)
    entries = {names.HUB_KEY_ENTRY: key, names.UPLOAD_TOKEN_ENTRY: role_token(key, ANY_MODEL, Role.UPLOADER)}
    name = names.hub_secret_name(key_fingerprint(key))
    return _secret(name, names.labels(names.Component.HUB), entries)


def build_model_secret(master: bytes, model: ModelView) -> Manifest:
    """Return the Secret with the tokens of a model's pods; it goes away with the model."""
    key = hub_key(master, model.key.namespace)
    entries = {
        names.SecretEntry.TRAINER.value: role_token(key, model.key.name, Role.TRAINER),
        names.SecretEntry.SERVER.value: role_token(key, model.key.name, Role.SERVER),
    }
    name = names.model_secret_name(model.key.name, key_fingerprint(key))
    manifest = _secret(name, names.labels(names.Component.SERVE, model=model.key.name), entries)
    return manifest | {"metadata": manifest["metadata"] | {"ownerReferences": owned_by_model(model)}}


def _secret(name: str, labels: dict[str, str], entries: dict[str, str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "type": "Opaque",
        "immutable": True,
        "data": {entry: b64encode(text.encode()).decode() for entry, text in entries.items()},
    }
