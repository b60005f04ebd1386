"""An entry of a consent as the rules of docs/spec/risk.md see it: the entry, and facts from its consent's state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import UNSET
from sqlalchemy import Connection, select

from ledger.canonical import b64u
from ledger.entries.access_acts import AccessLeg
from ledger.entries.consent_acts import ConsentAmend, ConsentRequest
from ledger.entries.evidence import AccessOutcome, ConsentOutcome, Evidence
from ledger.entries.leaf import NO_HASH
from ledger.entries.payload import acting_for
from ledger.entries.terms import Terms
from ledger.planning.world import ChainHead
from ledger.scoring.seen import Seen, SeenAccess, SeenEnd, SeenForeign, SeenLeg, SeenNotice, SeenRequest
from ledger.storage.standing import events_of, item_of, open_at, recorded_payload, time_of
from ledger.storage.tables import entries
from ledger.vault.cipher import Cipher

_FOREIGN: Final = frozenset({"CONSENT_UNKNOWN", "CONSENT_NOT_YOURS"})
_OVER: Final = frozenset({"REVOKED", "TERMINATED"})
_ENDED: Final = frozenset({"CONSENT_REVOKED", "CONSENT_TERMINATED"})


@dataclass(slots=True)
class _Parties:
    holder: str
    recipient: str
    offsets: dict[int, int] = field(default_factory=dict)
    """By version: the minutes of its terms' `utc_offset`."""


class Sight:
    """Remembers the parties of the consents that it has seen: some 300 bytes each."""

    def __init__(self) -> None:
        self.since = 0
        """The first entry that the rules have read: what rests on an older one is not theirs."""
        self._consents: dict[bytes, _Parties] = {}

    def see(self, connection: Connection, row: Any, cipher: Cipher) -> Seen | None:
        """What the rules see of an entry of a consent; None if they look past it. Entries come in order. Raises Corrupt."""
        evidence, time = open_at(row, cipher)
        act = evidence.act
        if act == "access.request":
            return self._access(connection, row, evidence, time, cipher)
        if act in ("access.release", "access.receive"):
            says: Any = recorded_payload(evidence)
            return self._leg(connection, row, says, time, cipher)
        if act in ("consent.request", "consent.amend"):
            terms_of: Any = recorded_payload(evidence)
            self._terms(bytes(row.chain), terms_of)
            if act == "consent.request":
                terms = terms_of.terms
                return SeenRequest(row.idx, time, terms.recipient, terms.purpose.code, len(terms.permissions))
        if act in ("consent.revoke", "consent.terminate"):
            return self._end(connection, row, evidence, time, cipher)
        if act == "consent.acknowledge":
            return self._notice(connection, row, evidence, time, cipher)
        return None

    def _end(self, connection: Connection, row: Any, evidence: Evidence, time: int, cipher: Cipher) -> SeenEnd | None:
        """None if the recipient ended it: it knows."""
        says: Any = recorded_payload(evidence)
        recipient = self._parties(connection, row, cipher).recipient
        if acting_for(says.iss, says.on_behalf_of) == recipient:
            return None
        return SeenEnd(row.idx, time, recipient, b64u(bytes(row.chain)))

    def _notice(
        self, connection: Connection, row: Any, evidence: Evidence, time: int, cipher: Cipher
    ) -> SeenNotice | None:
        """None unless it acknowledges the entry that revoked or terminated the consent: an ended consent does not move on, so
        that is the last entry that moved it."""
        outcome = evidence.outcome
        if not isinstance(outcome, ConsentOutcome) or outcome.status not in _OVER:
            return None
        says: Any = recorded_payload(evidence)
        chain = bytes(row.chain)
        between = entries.c.chain == chain, entries.c.idx > says.basis, entries.c.idx < row.idx
        for later in connection.execute(select(entries).where(*between)):
            act = open_at(later, cipher)[0].act
            if act.startswith("consent.") and act != "consent.acknowledge":
                return None
        parties = self._parties(connection, row, cipher)
        ended = connection.execute(select(entries).where(entries.c.idx == says.basis)).one()
        return SeenNotice(row.idx, time, parties.recipient, b64u(chain), time_of(ended))

    def _access(
        self, connection: Connection, row: Any, evidence: Evidence, time: int, cipher: Cipher
    ) -> SeenAccess | SeenForeign:
        outcome = evidence.outcome
        assert isinstance(outcome, AccessOutcome)  # noqa: S101  (what the ledger records with this act)
        if not _FOREIGN.isdisjoint(outcome.reasons):
            says: Any = recorded_payload(evidence)
            return SeenForeign(row.idx, time, says.iss if says.on_behalf_of is UNSET else says.on_behalf_of)
        parties = self._parties(connection, row, cipher)
        item = item_of(evidence)
        ended_at = None
        if not _ENDED.isdisjoint(outcome.reasons):
            basis = connection.execute(select(entries).where(entries.c.idx == outcome.basis)).one()
            ended_at = time_of(basis)
        return SeenAccess(
            row.idx,
            time,
            parties.recipient,
            b64u(bytes(row.chain)),
            outcome.decision == "deny",
            not item.customer_present,
            parties.offsets.get(outcome.consent_version, 0),
            item.permissions,
            len(item.accounts),
            ended_at,
        )

    def _leg(self, connection: Connection, row: Any, says: AccessLeg, time: int, cipher: Cipher) -> SeenLeg | None:
        if says.basis < self.since:
            return None
        parties = self._parties(connection, row, cipher)
        return SeenLeg(
            row.idx,
            time,
            says.act,
            parties.holder,
            parties.recipient,
            says.basis,
            says.rows,
            says.bytes,
            says.digest,
        )

    def _terms(self, chain: bytes, says: ConsentRequest | ConsentAmend) -> None:
        terms: Terms = says.terms
        parties = self._consents.get(chain)
        if isinstance(says, ConsentRequest):
            parties = self._consents[chain] = _Parties(terms.holder, terms.recipient)
        if parties is not None:  # one that has not been read yet is read whole, when it is needed
            version = 1 if isinstance(says, ConsentRequest) else says.previous_version + 1
            parties.offsets[version] = 0 if terms.utc_offset is UNSET else terms.utc_offset

    def _parties(self, connection: Connection, row: Any, cipher: Cipher) -> _Parties:
        """The parties of a consent; if it is older than the scoring, from its own chain."""
        chain = bytes(row.chain)
        if chain not in self._consents:
            for event in events_of(connection, chain, cipher, ChainHead(0, NO_HASH)):
                if event.at >= row.idx:
                    break
                if event.evidence.act in ("consent.request", "consent.amend"):
                    says: Any = recorded_payload(event.evidence)
                    self._terms(chain, says)
        return self._consents[chain]
