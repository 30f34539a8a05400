"""What a source's server asks for before it answers: the keys of a Secret, mounted as files."""

from __future__ import annotations

import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from evermodel.contract import FailureReason
from evermodel_runtime.data.failure import JobError, spec_error

FIELD = "spec.data.credentialsSecretRef"
KEYS = ("token", "username", "password", "ca.crt")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks, and whom to believe.

    Attributes
    ----------
    authorization : str
        Value of the header; empty for no one in particular.
    authority : str
        Certificates, in PEM, that are trusted instead of the public ones; empty for those.
    """

    authorization: str = field(default="", repr=False)
    authority: str = ""

    @classmethod
    def of(cls, secret: str | None, folder: Path) -> Self:
        """Read the keys of a Secret.

        Raises
        ------
        JobError
            DataNotFound when there is no such Secret, or none of its keys is known; SpecInvalid: half of a pair.
        """
        if secret is None:
            return cls()
        keys = {key: (folder / key).read_text("utf-8").strip() for key in KEYS if (folder / key).is_file()}
        if not keys:
            raise JobError(
                FailureReason.DATA_NOT_FOUND,
                f"{FIELD}: the namespace has no Secret {secret} with a key token, username and password, or ca.crt. "
                f"Create it: kubectl create secret generic {secret} --from-literal=token=…",
            )
        if ("username" in keys) != ("password" in keys):
            raise spec_error(f"{FIELD}: the Secret {secret} needs both keys, username and password, or a token.")
        if not keys.get("token", "").isascii() or not keys.get("token", "").isprintable():
            raise spec_error(f"{FIELD}: the token of the Secret {secret} holds more than one line of ASCII.")
        return cls(_authorization(keys), keys.get("ca.crt", ""))

    def context(self) -> ssl.SSLContext:
        """Return how servers are verified.

        Raises
        ------
        JobError
            SpecInvalid when ca.crt is no certificate.
        """
        if not self.authority:
            return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
        try:
            return ssl.create_default_context(cadata=self.authority)
        except ssl.SSLError as error:
            raise spec_error(f"{FIELD}: ca.crt is no certificate in PEM: {error}.") from error


def _authorization(keys: dict[str, str]) -> str:
    if "token" in keys:
        return f"Bearer {keys['token']}"
    if "username" not in keys:
        return ""
    return "Basic " + b64encode(f"{keys['username']}:{keys['password']}".encode()).decode()
