"""Tokens, all derived from the operator's master key: nothing is stored, and nobody has to read a Secret.

master key -> key of a namespace's hub -> token of a role for one model.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum


class Role(StrEnum):
    """What a token may do at the hub."""

    TRAINER = "trainer"
    SERVER = "server"
    OPERATOR = "operator"
    UPLOADER = "uploader"


ANY_MODEL = "*"
"""Model name of tokens that belong to a namespace: the uploader's."""


def hub_key(master: bytes, namespace: str) -> str:
    """Key of a namespace's hub, derived from the operator's master key (hex, 64 characters)."""
    return hmac.new(master, f"hub/{namespace}".encode(), hashlib.sha256).hexdigest()


def role_token(key: str, model: str, role: Role) -> str:
    """Token of a role for one model, derived from the hub's key (hex, 64 characters)."""
    return hmac.new(bytes.fromhex(key), f"{model}/{role}".encode(), hashlib.sha256).hexdigest()


def key_fingerprint(key: str) -> str:
    """Eight hex characters that tell keys apart in object names and give nothing away."""
    return hashlib.sha256(f"fingerprint/{key}".encode()).hexdigest()[:8]
