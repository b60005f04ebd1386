"""The members of each act a participant signs, and of an access item (docs/spec/statements.md).

`read_content` checks the form only: whether the act was allowed is the rules' business. It returns the members that
the rules look at, so that the main process need not read the rest again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from verifier.commitment import terms_hash
from verifier.encoding import (
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
from verifier.errors import Code, Refuted, refuted
from verifier.terms import CODE, check_codes, check_sorted, parse_terms

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
SKEW_SECONDS = 300

REFERENCE = re.compile(r"[A-Za-z0-9_-]{22,64}", re.ASCII)
INTERACTION = re.compile(r"[A-Za-z0-9._:-]{8,64}", re.ASCII)
_CONSENT_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    r"|urn:[a-zA-Z0-9][a-zA-Z0-9-]{0,31}:[A-Za-z0-9._~:/-]+",
    re.ASCII,
)
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
    "access.request": ITEM,
    "access.batch": frozenset({"items_count", "items_root"}),
    "access.release": LEG,
    "access.receive": LEG,
    "subject.consent": frozenset({"consent_id", "subject"}),
    "subject.enrol": frozenset({"subject", "credential_id", "public_key", "rp_id", "sca"}),
    "subject.unenrol": frozenset({"subject", "credential_id", "reason"}),
}
OPTIONAL = {"access.request": frozenset({"relayed"}), "access.batch": frozenset({"relayed"})}
REDUCING = frozenset(
    {
        "consent.reject",
        "consent.revoke",
        "consent.terminate",
        "consent.suspend",
        "consent.pause",
        "subject.unenrol",
    }
)
"""What a suspended participant may still do."""
HOLDER_ACTS = frozenset(
    {
        "consent.authorise",
        "consent.suspend",
        "consent.resume",
        "consent.pause",
        "access.release",
        "subject.consent",
        "subject.enrol",
        "subject.unenrol",
    }
)
RECIPIENT_ACTS = frozenset({"consent.request", "consent.amend", "access.receive"})


def read_content(act: str, payload: Object) -> Object:
    """The act's own members, checked; `terms_hash` is added where there are terms. Raises Refuted(BAD_ENCODING)."""
    members = MEMBERS.get(act)
    if members is None:
        raise refuted(Code.BAD_ENCODING, "an unknown act", field="act", found=act)
    optional = OPTIONAL.get(act, frozenset())
    if payload.keys() != members | COMMON:
        check_members(payload, members | COMMON, optional)
    if "relayed" in payload and payload["relayed"] is not True:
        raise refuted(Code.BAD_ENCODING, "`relayed` is true or absent", field="relayed", found=payload["relayed"])
    if act == "access.request":
        check_item(payload)
        return payload
    if "consent_id" in members:
        check_consent_id(payload)
    _READERS.get(act, _check_ending)(payload)
    if "terms" in members:
        return {**payload, "terms_hash": encode_base64url(terms_hash(get_object(payload, "terms")))}
    return payload


def check_item(item: Object) -> None:
    """The members of an access item but not their number. Raises Refuted(BAD_ENCODING)."""
    check_consent_id(item)
    _references(item, "accounts", 0)
    get_flag(item, "customer_present")
    get_integer(item, "from")
    get_integer(item, "to")
    get_text(item, "interaction_id", 64, INTERACTION)
    permissions = get_texts(item, "permissions", 1, 64)
    check_sorted(permissions, "permissions")
    check_codes(permissions, "permissions")
    get_text(item, "purpose", 64, CODE)
    get_bytes(item, "request_digest", 32)


def check_consent_id(payload: Object) -> None:
    """UUIDv4 or URN of at most 128 characters. Raises Refuted(BAD_ENCODING)."""
    get_text(payload, "consent_id", 128, _CONSENT_ID)


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


def _check_ending(payload: Object) -> None:
    get_text(payload, "reason", 64, CODE)
    if payload["by"] not in BY:
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


def _check_batch(payload: Object) -> None:
    get_integer(payload, "items_count", 1, 1_000)
    get_bytes(payload, "items_root", 32)


def _check_subject_consent(payload: Object) -> None:
    get_text(payload, "subject", 64, REFERENCE)


def _check_enrol(payload: Object) -> None:
    get_text(payload, "subject", 64, REFERENCE)
    get_bytes(payload, "credential_id", 16, 1023)
    get_bytes(payload, "public_key", 1, 1024)
    get_text(payload, "rp_id", 253)
    _check_sca(payload)


def _check_unenrol(payload: Object) -> None:
    get_text(payload, "subject", 64, REFERENCE)
    get_bytes(payload, "credential_id", 16, 1023)
    get_text(payload, "reason", 64, CODE)


def _check_sca(payload: Object) -> None:
    sca = get_object(payload, "sca")
    check_members(sca, {"acr", "amr", "at"})
    get_text(sca, "acr", 64, CODE)
    check_codes(get_texts(sca, "amr", 0, 64), "amr")
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
    "access.release": _check_leg,
    "access.receive": _check_leg,
    "access.batch": _check_batch,
    "subject.consent": _check_subject_consent,
    "subject.enrol": _check_enrol,
    "subject.unenrol": _check_unenrol,
}
