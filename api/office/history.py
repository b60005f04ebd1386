"""A consent's entries, whoever asks: bounded, so that no consent can make an answer arbitrarily expensive."""

from __future__ import annotations

from typing import Final

from ledger.app import Ledger
from ledger.consent.state import Consent
from ledger.entries.leaf import consent_chain
from ledger.planning.commands import Recorded

PAGE: Final = 500
PAGES: Final = 4


def history_of(ledger: Ledger, consent: Consent) -> tuple[list[Recorded], bool]:
    """At most 2,000 entries, oldest first, and whether they are all. The one that led to the present state is among them.

    Blocking. The caller has made sure that the reader may see the consent.
    """
    chain = consent_chain(consent.consent_id)
    found: list[Recorded] = []
    for page in range(PAGES):
        entries = ledger.records.history_of_chain(chain, after=page * PAGE - 1, limit=PAGE)
        found += entries
        if len(entries) < PAGE:
            return found, True
    if all(entry.index != consent.basis for entry in found):
        found += ledger.records.recorded([consent.basis])
    return found, False
