"""«The former consent automatically expires as soon as the new consent request is authorised by the PSU» (createConsent).

The log's follower sees the authorisation, whoever recorded it, and ends the older recurring consent of the same
customer with the same recipient, signed for the holder.
"""

from __future__ import annotations

import structlog

from api.office.office import Office
from api.standards.berlin.requests import STANDARD
from ledger.consent.state import Consent, Status
from ledger.errors import LedgerError, NotFound, Unavailable
from ledger.queries.events import Notice
from ledger.queries.records import RecordQueries

log = structlog.get_logger("api.standards")
_ENDS = frozenset({Status.PARTIAL, Status.ACTIVE, Status.PAUSED, Status.SUSPENDED})


class Succession:
    """Told of every entry once or more; doing it again changes nothing."""

    def __init__(self, office: Office, records: RecordQueries) -> None:
        self._office = office
        self._records = records

    def __call__(self, notice: Notice) -> None:
        """Raises Unavailable: the entry is to be shown again."""
        if notice.act != "consent.authorise" or notice.standard != STANDARD or notice.status != Status.ACTIVE:
            return
        try:
            successor = self._records.consent(notice.holder, notice.consent_id)
        except NotFound:
            return  # erased since
        if successor.terms.once or self._office.describe(successor).status is not Status.ACTIVE:
            return
        for former in self._formers(successor):
            try:
                self._office.supersede(former, successor.consent_id, by="system", reason="newer-recurring-consent")
            except Unavailable:
                raise
            except LedgerError as error:  # not delegated, or ended meanwhile: trying again would not help
                log.warning("a former consent could not be superseded", client=notice.holder, error=error.detail)

    def _formers(self, successor: Consent) -> list[Consent]:
        """Older recurring consents of the same customer, recipient and holder that are not over."""
        found: list[Consent] = []
        after = -1
        while page := self._records.consents_of_subject(successor.subject_chain, after=after, limit=500):
            for key, one in page:
                after = key
                if one.consent_id == successor.consent_id:
                    return found  # the rest is newer
                same = (one.terms.recipient, one.terms.holder) == (successor.terms.recipient, successor.terms.holder)
                if same and one.terms.standard == STANDARD and not one.terms.once:
                    found += [one] if self._office.describe(one).status in _ENDS else []
        return found
