"""Asking witnesses to cosign our checkpoints (C2SP tlog-witness v1.0.0, the log's side).

A thread of the process that sequences asks all witnesses at the same time about the same checkpoint, once a second while the
log grows. Nothing waits for it: a receipt is durable and signed without witnesses, and can be had again with their lines
(docs/witnesses.md). Several nodes may ask; a witness answers each of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import httpx2
import structlog

from api.http.bounded import read_bounded
from ledger.app import Ledger
from ledger.canonical import decimal
from ledger.clock import Clock, SystemClock
from ledger.errors import LedgerError
from ledger.notes.checkpoint import open_checkpoint
from ledger.notes.policy import Witness
from ledger.queries.tree import visible_size
from ledger.storage.cosignatures import CosignatureStore
from ledger.witnessing import SIZE_TYPE, AddCheckpoint, open_cosignatures

log = structlog.get_logger("api.witness")

TURN_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 5.0
TRIES: Final = 3
"""A witness that knows another size than we remember says so: one repeat is enough, and a second is a race with another
node."""
SKEW_SECONDS: Final = 300
ANSWER_LIMIT: Final = 64 * 1024
LONGEST_PAUSE_SECONDS: Final = 300.0


class NotCosigned(Exception):
    """A witness did not cosign; the text says why, for the operator."""


class AnotherHistory(NotCosigned):
    """A witness has seen another history of this log than this node has: nothing more may be signed."""


@dataclass(slots=True)
class _State:
    """The memory of one witness between turns."""

    size: int = 0
    """The size it knows, as far as we know."""
    cosigned: int = -1
    """The size of the last checkpoint that it cosigned for this process: it is not asked about it again."""
    failures: int = 0
    not_before: float = 0.0
    """Monotonic seconds: a witness that fails is asked less and less often."""
    last_error: str = field(default="")


class WitnessAsker:
    """`start` and `stop` for a server; `turn` for whoever wants to see one step."""

    def __init__(
        self,
        ledger: Ledger,
        store: CosignatureStore,
        witnesses: Sequence[Witness],
        *,
        clock: Clock | None = None,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        """`witnesses` are those of the policy that have an address. `refused` is told when one has seen another history."""
        self._refused = refused
        self._ledger = ledger
        self._store = store
        self._witnesses = tuple(witnesses)
        self._clock = clock or SystemClock()
        self._states = {witness.vkey.name: _State() for witness in witnesses}
        self._client = httpx2.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread = threading.Thread(target=self._live, name="witness asker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; what was not cosigned is asked for again at the next start."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
        self._client.close()
        self._store.close()

    @property
    def errors(self) -> Mapping[str, str]:
        """Why each witness that fails at present does not cosign, by its name."""
        return {name: state.last_error for name, state in self._states.items() if state.failures}

    def turn(self) -> dict[str, tuple[str, int]]:
        """Ask every witness whose time has come about the newest checkpoint; the lines they gave, kept already."""
        note = self._ledger.tree.checkpoint()
        size = open_checkpoint(note, self._ledger.vkeys).size
        states, now = self._states, time.monotonic()
        due = [
            one
            for one in self._witnesses
            if states[one.vkey.name].not_before <= now and states[one.vkey.name].cosigned != size
        ]
        if not due:
            return {}
        found: dict[str, tuple[str, int]] = {}
        with ThreadPoolExecutor(len(due)) as pool:
            for lines in pool.map(lambda witness: self._ask_patiently(witness, note, size), due):
                found |= lines
        self._store.put(size, found)
        return found

    def _live(self) -> None:
        while not self._end.wait(TURN_SECONDS):
            try:
                self.turn()
            except LedgerError as error:
                log.warning("witnesses are not asked now", error=error.detail)
            except Exception as error:  # a defect in asking must not end all asking
                log.exception("unexpected error", error=type(error).__name__)

    def _ask_patiently(self, witness: Witness, note: str, size: int) -> dict[str, tuple[str, int]]:
        """One witness's line; nothing when it fails, which is noted, and makes it be asked later."""
        state = self._states[witness.vkey.name]
        try:
            lines = self._ask(witness, state, note, size)
        except NotCosigned as error:
            state.failures += 1
            state.last_error = str(error)
            state.not_before = time.monotonic() + min(LONGEST_PAUSE_SECONDS, 2.0**state.failures)
            log.warning("a witness did not cosign", witness=witness.vkey.name, error=state.last_error, log_size=size)
            if isinstance(error, AnotherHistory) and self._refused is not None:
                self._refused(f"the witness {witness.vkey.name} answers: {error}")
            return {}
        state.failures, state.not_before, state.last_error = 0, 0.0, ""
        if lines:
            state.size = state.cosigned = size
        return lines

    def _ask(self, witness: Witness, state: _State, note: str, size: int) -> dict[str, tuple[str, int]]:
        for _ in range(TRIES):
            proof = self._ledger.tree.consistency(state.size, size) if 0 < state.size < size else ()
            status, kind, body = self._post(witness, AddCheckpoint(state.size, tuple(proof), note).format())
            if status == 200:
                return self._read(witness, note, body)
            if status != 409 or kind != SIZE_TYPE:
                if status == 422:
                    raise AnotherHistory(f"status {status} – it has seen another history of this log")
                raise NotCosigned(f"status {status}")
            try:
                known = decimal(body.removesuffix("\n"))
            except LedgerError:
                raise NotCosigned("its answer to «which size do you know» is not a size") from None
            if known > size:
                with self._ledger.store.read() as connection:
                    shown = visible_size(connection) or 0
                if shown < known:
                    raise AnotherHistory(
                        f"it knows {known} entries of this log, which has {size}: a rollback, or a misused key"
                    )
                return {}  # another node was faster, with a newer checkpoint
            state.size = known
        raise NotCosigned("it tells another size each time")

    def _post(self, witness: Witness, body: bytes) -> tuple[int, str, str]:
        """Status, media type and text of an answer; never more than ANSWER_LIMIT bytes of it."""
        address = f"{witness.url.rstrip('/')}/add-checkpoint"
        try:
            with self._client.stream("POST", address, content=body, headers={"content-type": "text/plain"}) as answer:
                content = read_bounded(answer, ANSWER_LIMIT)
                if content is None:
                    raise NotCosigned("its answer is too long")
                return answer.status_code, answer.headers.get("content-type", "").split(";")[0], content.decode()
        except (httpx2.HTTPError, UnicodeDecodeError) as error:
            raise NotCosigned(f"no answer ({type(error).__name__})") from None

    def _read(self, witness: Witness, note: str, body: str) -> dict[str, tuple[str, int]]:
        try:
            lines = open_cosignatures(note, body, [witness.vkey])
        except LedgerError as error:
            raise NotCosigned(f"its line is not valid: {error.detail}") from None
        if witness.vkey.name not in lines:
            raise NotCosigned("its line is of another key than the one configured")
        _, dated = lines[witness.vkey.name]
        if abs(dated - self._clock.now() // 1000) > SKEW_SECONDS:
            raise NotCosigned(f"its clock is more than {SKEW_SECONDS} s from ours")
        return lines
