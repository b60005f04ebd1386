"""Consents that one person of a relationship keeps from the others: their `subject.consent` says `suppress_notify`.

A joint relationship has one subject chain for all its people. Such a consent is shown to those who authorised it only.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from msgspec import UNSET

from ledger.entries.acts import SubjectConsent
from ledger.entries.evidence import decode_evidence
from ledger.entries.statement import payload_of
from ledger.planning.commands import Recorded
from ledger.queries.records import RecordQueries

PAGE: Final = 500
REMEMBERED: Final = 4_096


class Discretion:
    """The kept consents of each subject chain. Thread-safe.

    A chain is read once, and after that only its new entries; the chains that were asked for least recently are
    forgotten.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[int, frozenset[str]]] = OrderedDict()

    def kept_by(self, records: RecordQueries, chain: bytes) -> frozenset[str]:
        """Ids of the consents in a subject chain that are kept from others."""
        with self._lock:
            read, kept = self._known.get(chain, (0, frozenset()))
        length = records.chain_length(chain)
        while read < length:
            page = records.history_of_chain(chain, after=read - 1, limit=PAGE)
            kept |= {consent_id for one in page for consent_id in _kept(one)}
            read += len(page)
        with self._lock:
            self._known[chain] = (read, kept)
            self._known.move_to_end(chain)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return kept


def _kept(entry: Recorded) -> list[str]:
    texts = decode_evidence(entry.evidence).statements if entry.evidence else ()
    says = [payload_of(text) for text in texts]
    return [one.consent_id for one in says if isinstance(one, SubjectConsent) and one.suppress_notify is not UNSET]
