"""Polls a register for the standing of its software, and brings the log into line (CDS: «Metadata Cache Management»).

The Consumer Data Right demands that a holder reacts to a change within five minutes, so it is looked for every two. Whom a
register suspends is suspended here, from the next entry on; whom it re-admits is reinstated, unless the operator suspended it.
Removal is for ever, in the register as in the log: it is believed when two looks in turn say so, and until then it is a
suspension. What a register does not say, or says in words that nobody knows, changes nothing, however long (as CDS has it).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
import structlog
from msgspec import Struct

from api.registers.plan import RegisterEntry, RegisterStatus, plan_feed
from ledger.app import Ledger
from ledger.errors import InvalidInput, LedgerError, Refused, Unavailable

log = structlog.get_logger("api.registers")

INTERVAL_SECONDS: Final = 120.0
FIRST_WAIT: Final = 2.0
TURN_SECONDS: Final = 1.0
_PRODUCTS: Final = {
    "ACTIVE": RegisterStatus.ACTIVE,
    "INACTIVE": RegisterStatus.SUSPENDED,
    "REMOVED": RegisterStatus.REMOVED,
}


class Polled(NamedTuple):
    """A register's answer; `body` is None when nothing has changed since the one with this `etag`."""

    body: bytes | None
    etag: str


Poll = Callable[[str, str], Polled]
"""(address, entity tag of what is known) to what is there now. Raises Unavailable."""


class _Product(Struct, frozen=True, rename="camel"):
    software_product_id: str
    status: str = ""


class _Statuses(Struct, frozen=True):
    """The answer of Get Software Products Statuses."""

    data: tuple[_Product, ...]


_decoder: Final = msgspec.json.Decoder(_Statuses)


def standings_of(body: bytes) -> dict[str, RegisterStatus]:
    """Software id to standing, of those that have one; the worst of several. Raises InvalidInput for no such list."""
    try:
        listed = _decoder.decode(body).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the register's answer is no list of statuses: {error}") from None
    found: dict[str, RegisterStatus] = {}
    for one in listed:
        if one.status in _PRODUCTS:
            found[one.software_product_id] = max(
                _PRODUCTS[one.status], found.get(one.software_product_id, RegisterStatus.ACTIVE)
            )
    return found


@dataclass(slots=True)
class WatchedRegister:
    """A register: where its list is, and whose standing it may tell."""

    address: str
    software: Mapping[str, str]
    """Software id to participant."""
    etag: str = ""
    wait: float = 0.0
    next_at: float = float("-inf")
    gone: set[str] = field(default_factory=set)
    """Software ids that the last list called removed."""
    known: dict[str, RegisterStatus] = field(default_factory=dict)
    """The standings of the last list that came, in which those are kept that it did not name."""


class RegisterWatcher:
    """`start` and `stop` for a server; `turn` for whoever wants to see one step."""

    def __init__(
        self,
        ledger: Ledger,
        registers: tuple[WatchedRegister, ...],
        poll: Poll,
        removed: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`removed` is told of a participant that the log has just removed: its registration as a client ends too."""
        self._ledger = ledger
        self._registers = registers
        self._poll = poll
        self._removed = removed
        self._monotonic = monotonic
        self._end = threading.Event()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, on a thread of its own, if there is a register to look at."""
        if self._registers:
            self._thread = threading.Thread(target=self._live, name="register watcher", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End; what was not read is at the next start."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def refresh(self) -> None:
        """A register says that there is something new: look at once."""
        self._news.set()

    def turn(self) -> int:
        """Look at each register whose time has come; how many documents were recorded. Raises Unavailable, Corrupt."""
        news, recorded = self._news.is_set(), 0
        self._news.clear()
        for register in self._registers:
            if news or self._monotonic() >= register.next_at:
                recorded += self._look(register)
        return recorded

    def _look(self, register: WatchedRegister) -> int:
        try:
            answer = self._poll(register.address, register.etag)
            told = None if answer.body is None else standings_of(answer.body)
        except (Unavailable, InvalidInput) as error:
            register.wait = min(INTERVAL_SECONDS, register.wait * 2 or FIRST_WAIT)
            register.next_at = self._monotonic() + register.wait
            log.warning(
                "a register gives no statuses", address=register.address, error=error.detail, in_seconds=register.wait
            )
            return 0
        register.wait, register.next_at = 0.0, self._monotonic() + INTERVAL_SECONDS
        register.etag = answer.etag
        if told is not None:
            register.known |= told
        return self._bring_into_line(register)

    def _bring_into_line(self, register: WatchedRegister) -> int:
        plan = plan_feed(_entries(register, self._ledger), self._ledger.registry)
        register.gone = {name for name, standing in register.known.items() if standing is RegisterStatus.REMOVED}
        recorded = 0
        for document in plan.documents:
            try:
                self._ledger.record_documents(document)
            except Refused as refusal:  # another node, or the operator, was first
                log.info("a register's word is not recorded", address=register.address, reason=refusal.detail)
                continue
            recorded += 1
            participant, kind = str(document["participant"]), str(document["type"])
            log.info("a register's word is recorded", address=register.address, client=participant, reason=kind)
            if kind == "participant.removed":
                self._removed(participant)
        return recorded

    def _live(self) -> None:
        while not self._end.wait(TURN_SECONDS):
            try:
                self.turn()
            except LedgerError as error:
                log.warning("a register's word cannot be recorded now", error=error.detail)
            except Exception as error:  # a defect in one turn must not end all turns
                log.exception("unexpected error", error=type(error).__name__)


def _entries(register: WatchedRegister, ledger: Ledger) -> Iterator[RegisterEntry]:
    """What the register says of the participants that it speaks for, and that the log knows."""
    worst: dict[str, RegisterStatus] = {}
    for software, participant in register.software.items():
        standing = register.known.get(software)
        if standing is RegisterStatus.REMOVED and software not in register.gone:
            standing = RegisterStatus.SUSPENDED  # believed when the next look says so too
        if standing is not None:
            worst[participant] = max(standing, worst.get(participant, RegisterStatus.ACTIVE))
    for participant, standing in worst.items():
        known = ledger.registry.participants.get(participant)
        if known is not None and "recipient" in known.roles:
            yield RegisterEntry(participant, known.name, "recipient", standing)
