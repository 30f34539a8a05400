"""Who may do what: each token belongs to one role for one model."""

from __future__ import annotations

import hmac
import re
from functools import lru_cache

from evermodel.tokens import ANY_MODEL, Role, role_token
from evermodel_runtime.hub.http import HttpError
from evermodel_runtime.quality.prediction_id import Signer

MODEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_REMEMBERED = 4096
"""Models whose tokens are kept derived; names come from requests, so there must be a bound."""


class Access:
    """Checks tokens against those that derive from the hub's key.

    Parameters
    ----------
    key : str
        The hub's key, hex.
    """

    def __init__(self, key: str) -> None:
        self._token = lru_cache(_REMEMBERED * len(Role))(lambda model, role: role_token(key, model, role).encode())
        self._signer = lru_cache(_REMEMBERED)(lambda model: Signer(role_token(key, model, Role.SERVER), model))

    def signer(self, model: str) -> Signer:
        """Return what verifies the prediction ids of a model."""
        return self._signer(model)

    def caller_key(self, model: str, caller: str) -> bytes:
        """Return what an id of a caller is kept as."""
        return hmac.digest(self._token(model, Role.SERVER), b"id of a caller\0" + caller.encode(), "sha256")[:16]

    def check(self, authorization: str | None, model: str, roles: tuple[Role, ...]) -> None:
        """Let a request pass that has a token of one of the roles for the model; the operator's may do everything.

        Raises
        ------
        HttpError
            401 when the token is none of this model's, 403 when it is of another role.
        """
        if model != ANY_MODEL and MODEL_NAME.fullmatch(model) is None:
            raise HttpError(400, f"{model!r} is no name of a model")
        allowed = (*roles, Role.OPERATOR)
        scheme, _, given = (authorization or "").partition(" ")
        token = given.strip().encode("latin-1", "replace")
        if scheme.lower() == "bearer":
            if any(hmac.compare_digest(self._token(model, role), token) for role in allowed):
                return
            for role in Role:
                if hmac.compare_digest(self._token(model, role), token):
                    raise HttpError(403, f"this is the {role} token of {model}; {_needed(allowed, model)}")
        raise HttpError(
            401,
            f"no token of {model} was given as 'Authorization: Bearer <token>'; {_needed(allowed, model)}",
            ((b"www-authenticate", b"Bearer"),),
        )


def _needed(roles: tuple[Role, ...], model: str) -> str:
    return f"this request needs the {' or '.join(dict.fromkeys(roles))} token of {model}"
