"""All acts that a participant can sign (docs/spec/statements.md, Acts), by name.

Members are declared in the order of their bytes, so that encoding a value gives CL-JSON; the parser relies on it, and
a test compares every struct's member order with the sorted one.
"""

from __future__ import annotations

from typing import Final

from ledger.entries.access_acts import AccessBatch, AccessItem, AccessLeg, AccessRequest
from ledger.entries.consent_acts import (
    ConsentAct,
    ConsentAmend,
    ConsentAuthorise,
    ConsentReauthenticate,
    ConsentReconfirm,
    ConsentRequest,
    ConsentStep,
    ConsentSupersede,
    ConsentWithdrawAccounts,
    ConsentWithdrawApproval,
    ConsentWithdrawSeparate,
)
from ledger.entries.payload import Sca
from ledger.entries.subject_acts import SubjectConsent, SubjectEnrol, SubjectUnenrol

__all__ = [
    "ACTS", "AccessBatch", "AccessItem", "AccessLeg", "AccessRequest", "Act", "ConsentAct", "ConsentAmend",
    "ConsentAuthorise", "ConsentReauthenticate", "ConsentReconfirm", "ConsentRequest", "ConsentStep", "ConsentSupersede",
    "ConsentWithdrawAccounts", "ConsentWithdrawApproval", "ConsentWithdrawSeparate", "Sca", "SubjectConsent",
    "SubjectEnrol", "SubjectUnenrol",
]  # fmt: skip

Act = ConsentAct | AccessRequest | AccessBatch | AccessLeg | SubjectConsent | SubjectEnrol | SubjectUnenrol

ACTS: Final[dict[str, type[Act]]] = {
    "access.batch": AccessBatch,
    "access.receive": AccessLeg,
    "access.release": AccessLeg,
    "access.request": AccessRequest,
    "consent.amend": ConsentAmend,
    "consent.authorise": ConsentAuthorise,
    "consent.pause": ConsentStep,
    "consent.reauthenticate": ConsentReauthenticate,
    "consent.reconfirm": ConsentReconfirm,
    "consent.reject": ConsentStep,
    "consent.request": ConsentRequest,
    "consent.resume": ConsentStep,
    "consent.revoke": ConsentStep,
    "consent.supersede": ConsentSupersede,
    "consent.suspend": ConsentStep,
    "consent.terminate": ConsentStep,
    "consent.withdraw_accounts": ConsentWithdrawAccounts,
    "consent.withdraw_approval": ConsentWithdrawApproval,
    "consent.withdraw_separate": ConsentWithdrawSeparate,
    "subject.consent": SubjectConsent,
    "subject.enrol": SubjectEnrol,
    "subject.unenrol": SubjectUnenrol,
}
