"""The forms of statements: the members of each act, and of an access item (docs/spec/statements.md).

`read_content` checks the form only: the rules decide whether the act was allowed. It returns the members that
the rules look at, so that the main process need not read the rest again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from verifier.bytes.encoding import (
    Json,
    Object,
    check_members,
    encode_base64url,
    get_bytes,
    get_flag,
    get_integer,
    get_object,
    get_text,
    get_texts,
)
from verifier.crypto.keys import parse_cose_key
from verifier.errors import Code, Refuted, refuted
from verifier.records.acts import ANYWHERE, BY, COMMON, MEMBERS, OPTIONAL
from verifier.records.commitment import terms_hash
from verifier.records.declarations import DECLARED, check_declaration
from verifier.records.history_acts import SHEET, read_sheet
from verifier.records.reasons import ASSERTED
from verifier.records.terms import (
    CODE,
    COUNTRY,
    PARTICIPANT,
    check_codes,
    check_sorted,
    get_choice,
    get_codes,
    parse_terms,
)

SKEW_SECONDS = 300
FEEDBACK = ("unexpected", "after-stop", "other")
ANSWERS = ("received", "forwarded", "answered", "closed")

REFERENCE = re.compile(r"[A-Za-z0-9_-]{22,64}", re.ASCII)
INTERACTION = re.compile(r"[A-Za-z0-9._:-]{8,64}", re.ASCII)
_CONSENT_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    r"|urn:[a-zA-Z0-9][a-zA-Z0-9-]{0,31}:[A-Za-z0-9._~:/-]{20,}",
    re.ASCII,
)


def read_content(act: str, payload: Object) -> Object:
    """The act's own members, checked; `terms_hash` is added where there are terms. Raises Refuted(BAD_ENCODING)."""
    members = MEMBERS.get(act)
    if members is None:
        raise refuted(Code.BAD_ENCODING, "an unknown act", field="act", found=act)
    if payload.keys() != members | COMMON:
        check_members(payload, members | COMMON, OPTIONAL.get(act, frozenset()) | ANYWHERE)
        _check_optional(payload)
    if act == "access.request":
        check_item(payload)
        return payload
    if act in DECLARED:
        check_declaration(act, payload)
        return payload
    if act == SHEET:
        return read_sheet(payload)
    if "consent_id" in members:
        check_consent_id(payload)
    _READERS.get(act, _check_ending)(payload)
    if "terms" in members:
        return {**payload, "terms_hash": encode_base64url(terms_hash(get_object(payload, "terms")))}
    return payload


def _check_optional(payload: Object) -> None:
    for name in ("relayed", "suppress_notify"):
        if name in payload and payload[name] is not True:
            raise refuted(Code.BAD_ENCODING, f"`{name}` is true or absent", field=name, found=payload[name])
    if "on_behalf_of" in payload and get_text(payload, "on_behalf_of", 63, PARTICIPANT) == payload["iss"]:
        raise refuted(Code.BAD_ENCODING, "the signer acts for itself", field="on_behalf_of", expected="another one")
    if "asserted" in payload:
        asserted = get_texts(payload, "asserted", 1, 8)
        if "relayed" not in payload or asserted != [code for code in ASSERTED if code in asserted]:
            raise refuted(
                Code.BAD_ENCODING,
                "asserted reasons are known ones in their order, in a relayed request",
                field="asserted",
                found=", ".join(asserted),
            )


def check_item(item: Object) -> None:
    """The members of an access item but not their number. Raises Refuted(BAD_ENCODING)."""
    check_consent_id(item)
    _references(item, "accounts", 0)
    get_flag(item, "customer_present")
    get_integer(item, "from")
    get_integer(item, "to")
    get_text(item, "interaction_id", 64, INTERACTION)
    get_codes(item, "permissions", 1, 64)
    get_text(item, "purpose", 64, CODE)
    get_bytes(item, "request_digest", 32)
    if "region" in item:
        get_text(item, "region", 2, COUNTRY)


def check_consent_id(payload: Object, name: str = "consent_id") -> None:
    """UUIDv4 or URN of at most 128 characters. Raises Refuted(BAD_ENCODING)."""
    get_text(payload, name, 128, _CONSENT_ID)


def _references(payload: Object, name: str, low: int) -> None:
    texts = get_texts(payload, name, low, 100)
    check_sorted(texts, name)
    for text in texts:
        if not REFERENCE.fullmatch(text):
            raise refuted(Code.BAD_ENCODING, "not a reference", field=name, expected=REFERENCE.pattern, found=text)


def _check_request(payload: Object) -> None:
    parse_terms(get_object(payload, "terms"))


def _check_amend(payload: Object) -> None:
    parse_terms(get_object(payload, "terms"))
    get_integer(payload, "previous_version", 1)


def _check_authorise(payload: Object) -> None:
    get_integer(payload, "version", 1)
    get_bytes(payload, "terms_hash", 32)
    _references(payload, "accounts", 1)
    get_text(payload, "authoriser", 64, REFERENCE)
    get_text(payload, "subject", 64, REFERENCE)
    _check_sca(payload)
    if "acting_role" in payload:
        get_text(payload, "acting_role", 64, CODE)
    if "joint_accounts" in payload:
        _references(payload, "joint_accounts", 1)
        strange = set(get_texts(payload, "joint_accounts", 1, 100)) - set(get_texts(payload, "accounts", 1, 100))
        if strange:
            raise refuted(
                Code.BAD_ENCODING, "a joint account is not among the accounts", field="joint_accounts", found=strange
            )
    if "separate_consents" in payload:
        _check_separate(payload["separate_consents"])


def _check_separate(rows: Json) -> None:
    kinds = []
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            check_members(row, {"given_at", "kind", "text_hash"})
            get_integer(row, "given_at")
            get_bytes(row, "text_hash", 32)
            kinds.append(get_text(row, "kind", 64, CODE))
    if not isinstance(rows, list) or not 1 <= len(kinds) == len(rows) <= 8 or kinds != sorted(set(kinds)):
        raise refuted(
            Code.BAD_ENCODING,
            "separate consents are 1 to 8 objects, sorted by kind, each once",
            field="separate_consents",
            found=", ".join(kinds),
        )


def _check_withdraw_accounts(payload: Object) -> None:
    _references(payload, "accounts", 1)
    _check_ending(payload)


def _check_withdraw_approval(payload: Object) -> None:
    get_text(payload, "authoriser", 64, REFERENCE)
    _check_ending(payload)


def _check_withdraw_separate(payload: Object) -> None:
    get_text(payload, "separate", 64, CODE)
    _check_ending(payload)


def _check_supersede(payload: Object) -> None:
    check_consent_id(payload, "superseded_by")
    _check_ending(payload)


def _check_ending(payload: Object) -> None:
    get_text(payload, "reason", 64, CODE)
    if get_text(payload, "by", 16) not in BY:
        raise refuted(
            Code.BAD_ENCODING,
            "in an unknown name",
            field="by",
            expected=", ".join(sorted(BY)),
            found=payload["by"],
        )


def _check_leg(payload: Object) -> None:
    get_text(payload, "interaction_id", 64, INTERACTION)
    for name in ("basis", "rows", "bytes"):
        get_integer(payload, name)
    get_bytes(payload, "digest", 32)
    if "masks" in payload:
        get_codes(payload, "masks", 0, 16)


def _check_acknowledge(payload: Object) -> None:
    get_integer(payload, "basis")


def _check_feedback(payload: Object) -> None:
    get_text(payload, "subject", 64, REFERENCE)
    get_integer(payload, "about", -1)
    get_integer(payload, "due", get_integer(payload, "iat") + 1)
    get_choice(payload, "kind", FEEDBACK)
    get_text(payload, "number", 64, CODE)
    if "text_hash" in payload:
        get_bytes(payload, "text_hash", 32)


def _check_answer(payload: Object) -> None:
    get_text(payload, "subject", 64, REFERENCE)
    get_choice(payload, "by", ("holder", "recipient"))
    get_choice(payload, "state", ANSWERS)
    get_text(payload, "number", 64, CODE)
    if "text_hash" in payload:
        get_bytes(payload, "text_hash", 32)


def _check_batch(payload: Object) -> None:
    get_integer(payload, "items_count", 1, 1_000)
    get_bytes(payload, "items_root", 32)


def _check_subject_consent(payload: Object) -> None:
    get_text(payload, "subject", 64, REFERENCE)


def _check_enrol(payload: Object) -> None:
    get_text(payload, "subject", 64, REFERENCE)
    get_bytes(payload, "credential_id", 16, 1023)
    # Step 7.10.
    _check_cose_key(get_bytes(payload, "public_key", 1, 1024))
    get_text(payload, "rp_id", 253)
    _check_sca(payload)


def _check_cose_key(key: bytes) -> None:
    """In its one spelling, and a key that can be used: else the enrolment says nothing that could ever be checked."""
    try:
        parse_cose_key(key)
    except Refuted as refusal:
        raise refuted(
            Code.BAD_ENCODING, refusal.defect.sentence, field="public_key", expected="a COSE key", found=key
        ) from None


def _check_unenrol(payload: Object) -> None:
    get_text(payload, "subject", 64, REFERENCE)
    get_bytes(payload, "credential_id", 16, 1023)
    get_text(payload, "reason", 64, CODE)


def _check_sca(payload: Object) -> None:
    sca = get_object(payload, "sca")
    check_members(sca, {"acr", "amr", "at"})
    get_text(sca, "acr", 64, CODE)
    check_codes(get_texts(sca, "amr", 0, 8), "amr")
    # Step 7.9.
    if get_integer(sca, "at") > get_integer(payload, "iat") + SKEW_SECONDS:
        raise _late(sca, payload)


def _late(sca: Object, payload: Object) -> Refuted:
    return refuted(
        Code.TIME_INVALID,
        "the customer was authenticated after the statement was made",
        field="sca.at",
        expected=f"at most {payload['iat']} + {SKEW_SECONDS}",
        found=sca["at"],
    )


_READERS: dict[str, Callable[[Object], None]] = {
    "consent.request": _check_request,
    "consent.amend": _check_amend,
    "consent.authorise": _check_authorise,
    "consent.withdraw_accounts": _check_withdraw_accounts,
    "consent.withdraw_approval": _check_withdraw_approval,
    "consent.withdraw_separate": _check_withdraw_separate,
    "consent.reauthenticate": _check_sca,
    "consent.supersede": _check_supersede,
    "consent.acknowledge": _check_acknowledge,
    "access.release": _check_leg,
    "access.receive": _check_leg,
    "access.batch": _check_batch,
    "subject.consent": _check_subject_consent,
    "subject.enrol": _check_enrol,
    "subject.unenrol": _check_unenrol,
    "subject.feedback": _check_feedback,
    "subject.answer": _check_answer,
}
