"""Where the pages open sandboxes for partners: a service of its own, asked over HTTP (docs/sandbox.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
from msgspec import Struct

from api.http.bounded import read_bounded
from ledger.errors import InvalidInput, Refused, Unavailable
from ledger.notes.sandbox import is_sandbox
from ledger.secrets import read_secret

ANSWER_LIMIT: Final = 256 * 1024
TIMEOUT_SECONDS: Final = 20.0


class SandboxLog(Struct, frozen=True):
    """The log of a sandbox."""

    url: str
    origin: str
    vkey: str


class RunReport(Struct, frozen=True):
    """How a partner's conformance run came out; `log_hash` binds all of it."""

    participant: str
    origin: str
    suite: str
    suite_version: str
    passed: int
    behaviours: int
    ended: bool
    log_hash: str


class Sandbox(Struct, frozen=True):
    """A partner's sandbox, as its service tells of it."""

    participant: str
    role: str
    ledger: SandboxLog
    banks: dict[str, str]
    customers: dict[str, str]
    joined: bool
    invitation: str | None
    console: str
    control: str
    key: str
    resets: int
    report: RunReport | None = None


class SandboxService:
    """Asks the service that `consent-ledger sandbox` runs."""

    def __init__(self, url: str, token: str) -> None:
        """`url` begins with https:// (or is on loopback). Raises InvalidInput."""
        host = httpx2.URL(url)
        if host.scheme != "https" and host.host not in {"127.0.0.1", "localhost"}:
            raise InvalidInput("the address of the sandboxes begins with https://")
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"}

    @classmethod
    def configured(cls, url: str, token_file: Path | None) -> SandboxService | None:
        """The service of the settings; None where there is none. Raises NotFound, InvalidInput."""
        if not url:
            return None
        if token_file is None:
            raise InvalidInput(
                "sandbox_token_file is missing: the file that «consent-ledger sandbox --token-file» writes"
            )
        return cls(url, read_secret(token_file).decode("ascii").strip())

    def of(self, participant: str) -> Sandbox | None:
        """The sandbox of this participant; None if none is open. Raises Unavailable."""
        answer = self._ask("GET", f"/rooms/{participant}")
        return None if answer is None else self._sandbox(answer)

    def open(self, participant: str, name: str, role: str) -> Sandbox:
        """A sandbox for this participant; the one that is open, if there is one. Raises Unavailable, Refused."""
        wish = {"participant": participant, "name": name, "role": role}
        return self._sandbox(self._ask("POST", "/rooms", wish))

    def reset(self, participant: str) -> None:
        """Another log in its place. Raises Unavailable, Refused."""
        self._ask("POST", f"/rooms/{participant}/reset")

    def _sandbox(self, answer: Any) -> Sandbox:
        try:
            found = msgspec.convert(answer, Sandbox)
        except msgspec.ValidationError:
            raise Unavailable("the answer of the sandboxes does not read") from None
        if not is_sandbox(found.ledger.origin):
            raise Unavailable("what answered is not a sandbox: its log is not named as one")
        return found

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        try:
            with httpx2.stream(
                method, f"{self._url}{path}", json=body, headers=self._headers, timeout=TIMEOUT_SECONDS
            ) as response:
                content = read_bounded(response, ANSWER_LIMIT)
                if content is None:
                    raise Unavailable("the answer of the sandboxes is longer than one can be")
            told = msgspec.json.decode(content) if content else None
        except (httpx2.HTTPError, msgspec.DecodeError, RecursionError):
            raise Unavailable("the sandboxes cannot be reached at present") from None
        if response.status_code == httpx2.codes.NOT_FOUND:
            return None
        if response.status_code >= httpx2.codes.BAD_REQUEST:
            detail = told.get("detail") if isinstance(told, dict) else None
            raise Refused(f"the sandboxes refused: {detail or response.status_code}")
        return told
