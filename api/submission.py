"""Submitting statements: from the bytes of a request to the receipts of its entries. Every act goes this way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from api.answers import Answers
from api.refusals import BadRequest, PathMismatch, TooLarge
from api.wire import Reply, Visit
from ledger.app import Ledger
from ledger.entries.statement import STATEMENT_LIMIT
from ledger.planning.commands import Recorded, SubmitStatement
from ledger.receipts import receipt_bytes

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


class SubmissionReply(Struct, frozen=True):
    """The entries of one submission."""

    entries: list[EntryReply]


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
        recorded.act, recorded.consent_id, recorded.index, recorded.time, recorded.outcome,
        msgspec.Raw(receipt_bytes(recorded)),
    )  # fmt: skip


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


async def submit(ledger: Ledger, address: Address, body: bytes, visit: Visit) -> Reply:
    """Record a submission and wait for its commit: 201 with receipts, 200 with the same ones for a repeat.

    Raises what `prepare` and the rules raise; Unavailable when the database does not answer.
    """
    if address.limit == SINGLE_LIMIT:
        command = prepare(ledger, address, body)
    else:  # a thousand items are read and hashed: not on the event loop
        command = await asyncio.to_thread(prepare, ledger, address, body)
    answer = await Answers.of(ledger).to(command)  # bounded by the database's own time limits
    recorded = answer if isinstance(answer, tuple) else await asyncio.to_thread(ledger.settle, answer)
    visit.index = recorded[0].index
    reply = SubmissionReply([entry_reply(entry) for entry in recorded])
    return Reply(
        200 if recorded[0].repeated else 201,
        _encoder.encode(reply),
        headers=(("location", f"/receipts/{recorded[0].index}"),),
    )
