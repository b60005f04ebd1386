"""All acts that a participant can sign (docs/spec/statements.md, Acts), by name.

Members are declared in the order of their bytes, so that encoding a value gives CL-JSON; the parser relies on it, and
a test compares every struct's member order with the sorted one.
"""

from __future__ import annotations

from typing import Final

from ledger.entries.access_acts import AccessBatch, AccessItem, AccessLeg, AccessRequest
from ledger.entries.case_acts import CaseHandOver, CaseReceive
from ledger.entries.consent_acts import (
    ConsentAcknowledge,
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
from ledger.entries.declarations import (
    AlertDecide,
    AssessmentRecord,
    AssessmentRequire,
    AssessmentWaive,
    Declaration,
    FreezeLift,
    FreezeOrder,
    IncidentClose,
    IncidentOpen,
    IncidentUpdate,
    PurposeDefine,
    RiskBlock,
    RiskUnblock,
)
from ledger.entries.history_acts import HistoryAttest, HistorySheet, HistoryWithdraw
from ledger.entries.partner_acts import (
    AttestationGive,
    AttestationWithdraw,
    MapPublish,
    TariffAccept,
    TariffEnd,
    TariffOffer,
    UsageAnswer,
    UsageState,
)
from ledger.entries.payload import Sca
from ledger.entries.subject_acts import SubjectAnswer, SubjectConsent, SubjectEnrol, SubjectFeedback, SubjectUnenrol

__all__ = [
    "ACTS",
    "SINCE_RULESET_3",
    "AccessBatch",
    "AccessItem",
    "AccessLeg",
    "AccessRequest",
    "Act",
    "AlertDecide",
    "AssessmentRecord",
    "AssessmentRequire",
    "AssessmentWaive",
    "AttestationGive",
    "AttestationWithdraw",
    "CaseHandOver",
    "CaseReceive",
    "ConsentAcknowledge",
    "ConsentAct",
    "ConsentAmend",
    "ConsentAuthorise",
    "ConsentReauthenticate",
    "ConsentReconfirm",
    "ConsentRequest",
    "ConsentStep",
    "ConsentSupersede",
    "ConsentWithdrawAccounts",
    "ConsentWithdrawApproval",
    "ConsentWithdrawSeparate",
    "Declaration",
    "FreezeLift",
    "FreezeOrder",
    "HistoryAttest",
    "HistorySheet",
    "HistoryWithdraw",
    "IncidentClose",
    "IncidentOpen",
    "IncidentUpdate",
    "MapPublish",
    "PurposeDefine",
    "RiskBlock",
    "RiskUnblock",
    "Sca",
    "SubjectAnswer",
    "SubjectConsent",
    "SubjectEnrol",
    "SubjectFeedback",
    "SubjectUnenrol",
    "TariffAccept",
    "TariffEnd",
    "TariffOffer",
    "UsageAnswer",
    "UsageState",
]

Act = (
    ConsentAct
    | ConsentAcknowledge
    | AccessRequest
    | AccessBatch
    | AccessLeg
    | SubjectConsent
    | SubjectEnrol
    | SubjectUnenrol
    | SubjectFeedback
    | SubjectAnswer
    | HistorySheet
    | Declaration
)

ACTS: Final[dict[str, type[Act]]] = {
    "access.batch": AccessBatch,
    "access.receive": AccessLeg,
    "access.release": AccessLeg,
    "access.request": AccessRequest,
    "alert.decide": AlertDecide,
    "assessment.record": AssessmentRecord,
    "assessment.require": AssessmentRequire,
    "assessment.waive": AssessmentWaive,
    "attestation.give": AttestationGive,
    "attestation.withdraw": AttestationWithdraw,
    "case.hand_over": CaseHandOver,
    "case.receive": CaseReceive,
    "consent.acknowledge": ConsentAcknowledge,
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
    "freeze.lift": FreezeLift,
    "freeze.order": FreezeOrder,
    "history.attest": HistoryAttest,
    "history.sheet": HistorySheet,
    "history.withdraw": HistoryWithdraw,
    "incident.close": IncidentClose,
    "incident.open": IncidentOpen,
    "incident.update": IncidentUpdate,
    "map.publish": MapPublish,
    "purpose.define": PurposeDefine,
    "risk.block": RiskBlock,
    "risk.unblock": RiskUnblock,
    "subject.answer": SubjectAnswer,
    "subject.consent": SubjectConsent,
    "subject.enrol": SubjectEnrol,
    "subject.feedback": SubjectFeedback,
    "subject.unenrol": SubjectUnenrol,
    "tariff.accept": TariffAccept,
    "tariff.end": TariffEnd,
    "tariff.offer": TariffOffer,
    "usage.answer": UsageAnswer,
    "usage.state": UsageState,
}

_FAMILIES_OF_3: Final = frozenset(
    {
        "alert",
        "assessment",
        "attestation",
        "case",
        "freeze",
        "history",
        "incident",
        "map",
        "purpose",
        "risk",
        "tariff",
        "usage",
    }
)
SINCE_RULESET_3: Final = frozenset(act for act in ACTS if act.partition(".")[0] in _FAMILIES_OF_3) | {
    "consent.acknowledge",
    "subject.answer",
    "subject.feedback",
}
"""The acts that a log takes from ruleset 3 on."""
