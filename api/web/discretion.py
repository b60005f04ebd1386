"""Consents that one person of a relationship keeps from the others: their `subject.consent` says `suppress_notify`.

A joint relationship has one subject chain for all its people. The pages show such a consent to those who authorised it only.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from msgspec import UNSET

from api.web.happened import read_event
from ledger.entries.acts import SubjectConsent
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
            events = [read_event(one) for one in records.history_of_chain(chain, after=read - 1, limit=PAGE)]
            kept |= {
                event.says.consent_id
                for event in events
                if isinstance(event.says, SubjectConsent) and event.says.suppress_notify is not UNSET
            }
            read += len(events)
        with self._lock:
            self._known[chain] = (read, kept)
            self._known.move_to_end(chain)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return kept
