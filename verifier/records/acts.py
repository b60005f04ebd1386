"""The acts that participants sign: their members, who signs them, since which ruleset (docs/spec/statements.md).

`forms` says what the members look like.
"""

from __future__ import annotations

from verifier.records.declarations import DECLARED
from verifier.records.declarations import MEMBERS as DECLARATIONS
from verifier.records.declarations import OPTIONAL as OPTIONAL_IN_DECLARATIONS
from verifier.records.history_acts import SHEET, SHEET_MEMBERS

COMMON = frozenset({"act", "aud", "iat", "iss", "jti", "v"})
BY = frozenset({"customer", "guardian", "court", "holder", "recipient", "system"})
ITEM = frozenset(
    {
        "accounts",
        "consent_id",
        "customer_present",
        "from",
        "interaction_id",
        "permissions",
        "purpose",
        "request_digest",
        "to",
    }
)
LEG = frozenset({"consent_id", "interaction_id", "basis", "rows", "bytes", "digest"})
_ENDING = frozenset({"consent_id", "reason", "by"})

MEMBERS: dict[str, frozenset[str]] = {
    "consent.request": frozenset({"consent_id", "terms"}),
    "consent.authorise": frozenset({"consent_id", "version", "terms_hash", "accounts", "authoriser", "subject", "sca"}),
    "consent.reject": _ENDING,
    "consent.suspend": _ENDING,
    "consent.resume": _ENDING,
    "consent.pause": _ENDING,
    "consent.revoke": _ENDING,
    "consent.terminate": _ENDING,
    "consent.amend": frozenset({"consent_id", "previous_version", "terms"}),
    "consent.withdraw_accounts": _ENDING | {"accounts"},
    "consent.withdraw_approval": _ENDING | {"authoriser"},
    "consent.withdraw_separate": _ENDING | {"separate"},
    "consent.reauthenticate": frozenset({"consent_id", "sca"}),
    "consent.reconfirm": _ENDING,
    "consent.supersede": _ENDING | {"superseded_by"},
    "consent.acknowledge": frozenset({"consent_id", "basis"}),
    "access.request": ITEM,
    "access.batch": frozenset({"items_count", "items_root"}),
    "access.release": LEG,
    "access.receive": LEG,
    "subject.consent": frozenset({"consent_id", "subject"}),
    "subject.enrol": frozenset({"subject", "credential_id", "public_key", "rp_id", "sca"}),
    "subject.unenrol": frozenset({"subject", "credential_id", "reason"}),
    "subject.feedback": frozenset({"about", "consent_id", "due", "kind", "number", "subject"}),
    "subject.answer": frozenset({"by", "number", "state", "subject"}),
    SHEET: SHEET_MEMBERS,
    **DECLARATIONS,
}
OPTIONAL = {
    "consent.authorise": frozenset({"acting_role", "joint_accounts", "separate_consents"}),
    "access.request": frozenset({"asserted", "region", "relayed"}),
    "access.release": frozenset({"masks"}),
    "access.batch": frozenset({"relayed"}),
    "subject.consent": frozenset({"suppress_notify"}),
    "subject.feedback": frozenset({"text_hash"}),
    "subject.answer": frozenset({"text_hash"}),
    **OPTIONAL_IN_DECLARATIONS,
}
ANYWHERE = frozenset({"on_behalf_of"})
SINCE_2 = frozenset(
    {"on_behalf_of", "acting_role", "asserted", "joint_accounts", "separate_consents", "suppress_notify"}
    | {"consent.withdraw_accounts", "consent.withdraw_approval", "consent.withdraw_separate"}
    | {"consent.reauthenticate", "consent.reconfirm", "consent.supersede"}
)
"""Acts and members of statements that exist from ruleset 2 onwards."""
SINCE_3 = DECLARED | {SHEET, "consent.acknowledge", "subject.feedback", "subject.answer", "region", "masks", "SM2"}
"""Acts and members of statements, and the algorithm of their signatures, that exist from ruleset 3 onwards."""
REDUCING = frozenset(
    {
        "consent.reject",
        "consent.revoke",
        "consent.terminate",
        "consent.suspend",
        "consent.pause",
        "consent.withdraw_accounts",
        "consent.withdraw_approval",
        "consent.withdraw_separate",
        "subject.unenrol",
        "consent.acknowledge",
        "freeze.order",
        "freeze.lift",
        "alert.decide",
    }
)
"""The acts that a suspended participant may still sign."""
HOLDER_ACTS = frozenset(
    {
        "consent.authorise",
        "consent.suspend",
        "consent.resume",
        "consent.pause",
        "consent.withdraw_accounts",
        "consent.withdraw_approval",
        "consent.reauthenticate",
        "consent.supersede",
        "access.release",
        "subject.consent",
        "subject.enrol",
        "subject.unenrol",
        "subject.feedback",
        "subject.answer",
        SHEET,
    }
)
RECIPIENT_ACTS = frozenset(
    {"consent.request", "consent.amend", "consent.reconfirm", "consent.acknowledge", "access.receive"}
)
