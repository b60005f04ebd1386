"""Makes what a participant says: terms, payloads, signed questions (docs/spec/statements.md, consents.md)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import UNSET

from api.client.signing import AnySigner, sign_statement, sign_statement_with
from ledger.canonical import b64u
from ledger.catalogue import LATEST
from ledger.clock import Clock
from ledger.entries.acts import AccessItem, AccessRequest, Act
from ledger.entries.asserted import Asserted, in_order
from ledger.entries.statement import parse_item, parse_payload
from ledger.entries.terms import Filter, Purpose, Terms
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash

MAX_ITEMS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Question:
    """A signed statement with what travels beside it; the answer is compared with it. Sending it twice is safe."""

    text: str
    """The compact JWS."""
    payload: Act
    items: tuple[str, ...] = ()
    """The CL-JSON of a batch's items, in their order."""
    companion: Question | None = None
    """The `subject.consent` of an authorisation."""
    assertion: str | None = None
    """The customer's passkey assertion for an authorisation, as CL-JSON."""

    def __repr__(self) -> str:  # type: ignore[explicit-override]  # (3.11 has no typing.override)
        """One line for logs, without what the statement says."""
        return f"<Question {self.payload.act} {self.payload.jti}>"

    @property
    def body(self) -> bytes:
        """The JSON body of the POST that submits it: the same bytes every time."""
        envelope: dict[str, object] = {"statement": self.text}
        if self.items:
            envelope["items"] = self.items
        if self.companion is not None:
            envelope["companion"] = self.companion.text
        if self.assertion is not None:
            envelope["assertion"] = self.assertion
        return msgspec.json.encode(envelope)


def make_terms(
    *,
    holder: str,
    recipient: str,
    permissions: Iterable[str],
    purpose: str,
    purpose_text: str,
    notice: bytes,
    expires_at: int = 0,
    starts_at: int = 0,
    history_from: int = 0,
    history_to: int = 0,
    frequency_per_day: int = 4,
    once: bool = False,
    retention_days: int = 90,
    authorisers_required: int = 1,
    separate_consents: Iterable[str] = (),
    language: str = "en",
    standard: str = "own",
    standard_version: str = "1",
    details: bytes | None = None,
    filters: Iterable[Filter] = (),
    reauthenticate_days: int | None = None,
    reconfirm_days: int | None = None,
    utc_offset: int | None = None,
) -> Terms:
    """Terms with sorted lists, the grade and the separate consents that follow from the permissions, and the notice's hash.

    Times are seconds, 0 for none; `utc_offset` is in minutes. `separate_consents` are added to those that the catalogue
    demands for the grade. `details`: the request as a foreign standard words it, of which the terms hold the SHA-256.
    Raises ValueError for a permission outside the catalogue, and what msgspec's validation
    raises for a value out of bounds.
    """
    wanted = sorted(set(permissions))
    grade = LATEST.highest_grade(wanted)
    if grade is None:
        raise ValueError("a permission is not in the catalogue (docs/spec/decisions.md)")
    demanded = LATEST.separate_consents.get(grade, ())
    limits = tuple(sorted(set(filters), key=msgspec.json.encode))
    built = Terms(
        authorisers_required=authorisers_required,
        details_hash=UNSET if details is None else b64u(sha256(details).digest()),
        expires_at=expires_at,
        filters=limits or UNSET,
        frequency_per_day=frequency_per_day,
        grade=grade,
        history_from=history_from,
        history_to=history_to,
        holder=holder,
        language=language,
        notice_hash=b64u(sha256(notice).digest()),
        once=once,
        permissions=tuple(wanted),
        purpose=Purpose(purpose, purpose_text),
        reauthenticate_days=UNSET if reauthenticate_days is None else reauthenticate_days,
        recipient=recipient,
        reconfirm_days=UNSET if reconfirm_days is None else reconfirm_days,
        retention_days=retention_days,
        separate_consents=tuple(sorted({*separate_consents, *demanded})),
        standard=standard,
        standard_version=standard_version,
        starts_at=starts_at,
        utc_offset=UNSET if utc_offset is None else utc_offset,
    )
    return msgspec.json.decode(msgspec.json.encode(built), type=Terms)


def make_item(
    *,
    consent_id: str,
    accounts: Iterable[str],
    permissions: Iterable[str],
    purpose: str,
    request_digest: str,
    interaction_id: str,
    customer_present: bool = False,
    from_: int = 0,
    to: int = 0,
) -> AccessItem:
    """What one access asks for. Times are seconds, 0 = open; no accounts = all accounts of the consent."""
    return AccessItem(
        accounts=tuple(sorted(set(accounts))),
        consent_id=consent_id,
        customer_present=customer_present,
        from_=from_,
        interaction_id=interaction_id,
        permissions=tuple(sorted(set(permissions))),
        purpose=purpose,
        request_digest=request_digest,
        to=to,
    )


class StatementMaker:
    """Signs as one participant for one log, in its own name or on behalf of another.

    `make`, `access` and `batch` are for a key that answers at once; `sign`, `sign_access` and `sign_batch` for every key.
    """

    def __init__(
        self, participant: str, origin: str, signer: AnySigner, clock: Clock, *, on_behalf_of: str | None = None
    ) -> None:
        """`on_behalf_of`: the participant that this one, a technology provider, acts for under a delegation."""
        self.participant = participant
        self.on_behalf_of = on_behalf_of
        self.origin = origin
        self._signer = signer
        self._clock = clock

    def make(self, act: str, **members: object) -> Question:
        """Sign a statement of `act`; a member that is None is left out.

        Raises BadStatement for members the ledger would refuse, before anything is signed, and TypeError for an asynchronous
        signer.
        """
        return self._signed_now(self._payload(act, members))

    async def sign(self, act: str, **members: object) -> Question:
        """As `make`, with a signer of either kind."""
        return await self._signed(self._payload(act, members))

    def access(self, item: AccessItem) -> Question:
        """Sign an `access.request`."""
        return self.make("access.request", **msgspec.to_builtins(item))

    async def sign_access(self, item: AccessItem) -> Question:
        """As `access`, with a signer of either kind."""
        return await self.sign("access.request", **msgspec.to_builtins(item))

    async def sign_relayed(self, item: AccessItem, asserted: Iterable[Asserted] = ()) -> Question:
        """As holder: sign an `access.request` for a recipient that signs none. `asserted`: what the holder itself found wrong;
        with any, the access is recorded and denied."""
        said = list(in_order(asserted)) or None
        return await self.sign("access.request", relayed=True, asserted=said, **msgspec.to_builtins(item))

    def batch(self, items: Sequence[AccessItem]) -> Question:
        """Sign an `access.batch` over 1 to 1,000 items. Raises ValueError, BadStatement, TypeError."""
        payload, bodies = self._batch(items)
        return self._signed_now(payload, bodies)

    async def sign_batch(self, items: Sequence[AccessItem]) -> Question:
        """As `batch`, with a signer of either kind."""
        payload, bodies = self._batch(items)
        return await self._signed(payload, bodies)

    def separately(self, words: Mapping[str, bytes]) -> list[dict[str, object]]:
        """Separate consents given now: for each kind the words shown, of which a statement holds the SHA-256."""
        now = self._clock.now() // 1000
        return [
            {"given_at": now, "kind": kind, "text_hash": b64u(sha256(shown).digest())}
            for kind, shown in sorted(words.items())
        ]

    def _payload(self, act: str, members: Mapping[str, object]) -> bytes:
        said = {
            "act": act,
            "aud": self.origin,
            "iat": self._clock.now() // 1000,
            "iss": self.participant,
            "jti": fresh_jti(),
            "v": 1,
            "on_behalf_of": self.on_behalf_of,
            **members,
        }
        present = {name: value for name, value in said.items() if value is not None}
        return msgspec.json.encode(present, order="sorted")

    def _batch(self, items: Sequence[AccessItem]) -> tuple[bytes, tuple[str, ...]]:
        if not 1 <= len(items) <= MAX_ITEMS:
            raise ValueError(f"a batch has 1 to {MAX_ITEMS} items, not {len(items)}")
        bodies = [msgspec.json.encode(item) for item in items]
        for body in bodies:
            parse_item(body)
        root = Edge().grow([leaf_hash(body) for body in bodies]).root
        payload = self._payload("access.batch", {"items_count": len(items), "items_root": b64u(root)})
        return payload, tuple(body.decode() for body in bodies)

    def _signed_now(self, payload: bytes, items: tuple[str, ...] = ()) -> Question:
        parsed = parse_payload(payload)
        return Question(sign_statement(self._signer, payload), parsed, items)

    async def _signed(self, payload: bytes, items: tuple[str, ...] = ()) -> Question:
        parsed = parse_payload(payload)
        return Question(await sign_statement_with(self._signer, payload), parsed, items)


def fresh_jti() -> str:
    """16 random bytes: unique for ever."""
    return b64u(os.urandom(16))


def item_of(payload: AccessRequest) -> AccessItem:
    """The item inside an `access.request`."""
    return AccessItem(
        accounts=payload.accounts,
        consent_id=payload.consent_id,
        customer_present=payload.customer_present,
        from_=payload.from_,
        interaction_id=payload.interaction_id,
        permissions=payload.permissions,
        purpose=payload.purpose,
        request_digest=payload.request_digest,
        to=payload.to,
    )
