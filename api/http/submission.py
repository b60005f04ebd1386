"""Submitting statements: from the bytes of a request to the receipts of its entries. Every act goes this way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import Answers
from api.http.refusals import BadRequest, PathMismatch, TooLarge
from api.http.wire import Reply, Visit
from ledger.app import Ledger
from ledger.entries.acts import Act
from ledger.entries.statement import STATEMENT_LIMIT
from ledger.planning.commands import Recorded, RecordedBatch, SubmitStatement
from ledger.receipts import batch_receipts, receipt_bytes
from ledger.sequencer.answers import Repeated

SINGLE_LIMIT: Final = 64 * 1024
BATCH_LIMIT: Final = 10 * 1024 * 1024


class Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of every submission: a statement, and what travels beside some of them."""

    statement: str
    items: Annotated[tuple[str, ...], Meta(max_length=1000)] | None = None
    """For `access.batch`: the CL-JSON text of each item, in order."""
    companion: str | None = None
    """For `consent.authorise`: the `subject.consent` that goes with it."""
    assertion: str | None = None
    """For `consent.authorise`: the customer's own signature by a passkey, CL-JSON (docs/spec/passkeys.md)."""


class EntryReply(Struct, frozen=True):
    """One entry, as its submitter or a party of its consent gets it."""

    act: str
    consent_id: str | None
    index: int
    time: int
    outcome: Any
    """An `Outcome`, or None; not declared as one because msgspec describes no union of untagged structs."""
    receipt: msgspec.Raw
    statement: str | UnsetType = UNSET
    """The signer's statement where the receipt discloses no evidence: an authorisation that the customer signed too."""


class SubmissionReply(Struct, frozen=True):
    """The entries of one submission."""

    entries: list[EntryReply]


class RepeatedEntry(Struct, frozen=True):
    """Where a statement, or an item of a batch, was recorded before."""

    act: str
    consent_id: str | None
    index: int


class RepeatReply(Struct, frozen=True):
    """The entries of a submission that was recorded before, without what is in them."""

    entries: list[RepeatedEntry]


@dataclass(frozen=True, slots=True)
class Address:
    """What the address says about the statement that is posted to it."""

    act: str
    consent_id: str | None = None
    limit: int = SINGLE_LIMIT


_decoder: Final = msgspec.json.Decoder(Envelope)
_encoder: Final = msgspec.json.Encoder()


def entry_reply(recorded: Recorded) -> EntryReply:
    """An entry with its receipt."""
    return EntryReply(
        recorded.act,
        recorded.consent_id,
        recorded.index,
        recorded.time,
        recorded.outcome,
        msgspec.Raw(receipt_bytes(recorded)),
        UNSET if recorded.statement is None else recorded.statement,
    )


def batch_replies(batch: RecordedBatch) -> list[EntryReply]:
    """The entries of a batch with their receipts."""
    return [
        EntryReply(
            "access.request", entry.consent_id, index, batch.time, msgspec.Raw(entry.outcome), msgspec.Raw(receipt)
        )
        for index, (entry, receipt) in enumerate(zip(batch.entries, batch_receipts(batch), strict=True), batch.first)
    ]


def decode_envelope(body: bytes) -> Envelope:
    """Raises BadRequest for anything but an envelope, TooLarge for a statement above its bound."""
    try:
        envelope = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(
            f"the body is not an envelope {{statement, items?, companion?, assertion?}}: {error}"
        ) from None
    if max(len(envelope.statement), len(envelope.companion or "")) > STATEMENT_LIMIT:
        raise TooLarge(f"a statement has at most {STATEMENT_LIMIT} characters", member="statement")
    return envelope


def prepare(ledger: Ledger, address: Address, body: bytes) -> SubmitStatement:
    """Read and verify a submission. Raises BadRequest, TooLarge, PathMismatch, and what `Ledger.prepare` raises."""
    envelope = decode_envelope(body)
    command = ledger.prepare(
        envelope.statement, items=envelope.items, companion=envelope.companion, assertion=envelope.assertion
    )
    payload = command.statement.payload
    if payload.act != address.act:
        raise PathMismatch(f"the statement says {payload.act}, and {address.act} is posted here", member="act")
    if address.consent_id is not None and getattr(payload, "consent_id", None) != address.consent_id:
        raise PathMismatch("the statement names another consent than the address", member="consent_id")
    return command


async def submit(
    ledger: Ledger, address: Address, body: bytes, visit: Visit, check: Callable[[Act], None] = lambda _: None
) -> Reply:
    """Record a submission and wait for its commit: 201 with receipts; 200 for a repeat, which is told where its entries are.

    A repeat is answered from what was submitted and their indexes alone. Whoever has a copy of a statement can submit it
    again (a proxy from its log, a recipient from its consent's history): receipts are for those who prove who they are.
    `check`: what else this node asks of a statement that was read. Raises what it, `prepare` and the rules raise;
    Unavailable when the database does not answer.
    """
    if address.limit == SINGLE_LIMIT:
        command = prepare(ledger, address, body)
    else:  # a thousand items are read and hashed: not on the event loop
        command = await asyncio.to_thread(prepare, ledger, address, body)
    visit.client = command.statement.payload.iss  # by its signature
    check(command.statement.payload)
    answer = await Answers.of(ledger).to(command)  # bounded by the database's own time limits
    if isinstance(answer, Repeated):
        visit.index = answer.indexes[0]
        return _reply(200, RepeatReply(_places(command, answer.indexes)), answer.indexes[0])
    reply = recorded_reply(answer)
    visit.index = answer.first if isinstance(answer, RecordedBatch) else answer[0].index
    return reply


def recorded_reply(answer: tuple[Recorded, ...] | RecordedBatch) -> Reply:
    """The answer to what was recorded: its entries with their receipts."""
    if isinstance(answer, RecordedBatch):
        return _reply(201, SubmissionReply(batch_replies(answer)), answer.first)
    return _reply(201, SubmissionReply([entry_reply(entry) for entry in answer]), answer[0].index)


def _reply(status: int, reply: SubmissionReply | RepeatReply, first: int) -> Reply:
    return Reply(status, _encoder.encode(reply), headers=(("location", f"/receipts/{first}"),))


def _places(command: SubmitStatement, indexes: Sequence[int]) -> list[RepeatedEntry]:
    """What was submitted, in its order, beside the indexes of its entries."""
    said: list[tuple[str, str | None]] = [("access.request", item.says.consent_id) for item in command.items]
    if not said:
        parts = [command.statement, *([] if command.companion is None else [command.companion])]
        said = [(part.payload.act, getattr(part.payload, "consent_id", None)) for part in parts]
    return [RepeatedEntry(act, consent_id, index) for (act, consent_id), index in zip(said, indexes, strict=True)]
