"""Access tokens of Google Cloud, by google-auth, which finds credentials where Google's programs find them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import google.auth
import httpx2
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError

from ledger.errors import InvalidInput, Unavailable

SCOPE: Final = "https://www.googleapis.com/auth/cloudkms"
logging.getLogger("google.auth._default").setLevel(logging.ERROR)
"""It warns that no project is set; the URI of each key names one."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What google-auth reads of an answer (google.auth.transport.Response)."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Transport:
    """How google-auth asks (google.auth.transport.Request): with our client, its deadlines and its certificates."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> _Answer:
        try:
            answer = self._client.request(method, url, content=body, headers=dict(headers or {}))
        except httpx2.HTTPError as error:
            raise TransportError(type(error).__name__) from None  # type: ignore[no-untyped-call]  # (google-auth's own)
        return _Answer(answer.status_code, answer.headers, answer.content)


class GoogleLogin:
    """The token of this process. Thread-safe."""

    def __init__(self, client: httpx2.Client) -> None:
        self._transport = _Transport(client)
        self._lock = threading.Lock()
        self._credentials: Any = None

    def token(self, *, anew: bool = False) -> str:
        """A token that is valid still; `anew`: another than the one that was refused. Raises InvalidInput, Unavailable."""
        with self._lock:
            try:
                if self._credentials is None:
                    transport: Any = self._transport
                    self._credentials, _ = google.auth.default(scopes=[SCOPE], request=transport)
                if anew or not self._credentials.valid:
                    self._credentials.refresh(self._transport)
            except DefaultCredentialsError:
                raise InvalidInput(
                    "this machine has no credentials for Google Cloud: set GOOGLE_APPLICATION_CREDENTIALS, or run with a "
                    "service account"
                ) from None
            except (GoogleAuthError, ValueError) as error:
                raise Unavailable(
                    f"Google Cloud gives no access token ({type(error).__name__}); this node tries again"
                ) from None
            return str(self._credentials.token)
