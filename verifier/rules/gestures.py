"""Passkeys in log order: enrolments, and the confirmations that rest on them (docs/spec/passkeys.md).

`passkey` checks the form and the signature of an assertion. This module checks that this holder enrolled the credential
at a lower index, for the subject that the accompanying subject.consent names, and that the customer's signature covers
this very authorisation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from verifier.bytes.encoding import Json, Object, encode_base64url, get_texts
from verifier.crypto.backend import Backend
from verifier.errors import Code, Refuted, refuted
from verifier.records.commitment import accounts_hash
from verifier.records.passkey import Assertion, parse_assertion, verify_assertion
from verifier.tlog.trust import Trust

NOT_ENROLLED = "the passkey is not enrolled by this holder at a lower index"


class Enrolment(NamedTuple):
    """A credential in force: the subject chain (base64url) it was enrolled in, the holder, key and rpId."""

    chain: str
    holder: str
    public_key: str
    rp_id: str


@dataclass(slots=True)
class Gestures:
    """The enrolments so far. `used` are all credential ids ever enrolled: each is enrolled once."""

    trust: Trust
    backend: Backend
    enrolled: dict[str, Enrolment] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def enrol(self, chain: bytes, holder: str, content: Object) -> None:
        """A subject.enrol. Raises Refuted(CONSENT_INVALID)."""
        credential = str(content["credential_id"])
        if credential in self.used:
            raise _bad("the credential was enrolled before", "a new credential", credential, "credential_id")
        self.used.add(credential)
        self.enrolled[credential] = Enrolment(chain.decode(), holder, str(content["public_key"]), str(content["rp_id"]))

    def unenrol(self, chain: bytes, content: Object) -> None:
        """A subject.unenrol. Raises Refuted(CONSENT_INVALID)."""
        credential = str(content["credential_id"])
        known = self.enrolled.get(credential)
        if known is None or known.chain != chain.decode():
            raise _bad(
                "the credential is not enrolled for this subject",
                "an enrolled one",
                credential,
                "credential_id",
            )
        del self.enrolled[credential]

    def confirm(self, record: Object, act: str, holder: str, content: Object) -> tuple[Assertion, Enrolment]:
        """An assertion under an authorisation: the parsed record and the enrolment it rests on.
        Raises Refuted (BAD_ENCODING, CONSENT_INVALID)."""
        credential = str(record.get("credential_id"))
        known = self.enrolled.get(credential)
        if act != "consent.authorise":
            raise _bad("a passkey signs authorisations only", "consent.authorise", act, "act")
        if "public_key" in record:
            raise refuted(
                Code.BAD_ENCODING,
                "the public key is the enrolment's, never the record's",
                field="assertion.public_key",
            )
        if known is None or known.holder != holder:
            raise _bad(
                NOT_ENROLLED,
                "an enrolled credential",
                credential,
                "assertion.credential_id",
            )
        assertion = parse_assertion({**record, "public_key": known.public_key})
        if assertion.rp_id != known.rp_id:
            raise _bad("the passkey was enrolled for another place", known.rp_id, assertion.rp_id, "assertion.rp_id")
        wanted: dict[str, Json] = {
            "act": act,
            "consent_id": content["consent_id"],
            "terms_hash": content["terms_hash"],
            "accounts_hash": encode_base64url(accounts_hash(get_texts(content, "accounts", 1, 100))),
        }
        for name, value in wanted.items():
            if assertion.signed[name] != value:
                raise _bad(
                    "the customer confirmed something else",
                    value,
                    assertion.signed[name],
                    f"assertion.{name}",
                )
        verify_assertion(
            assertion,
            self.trust.rp_ids or (assertion.rp_id,),
            self.trust.origins or (assertion.origin,),
            self.backend,
        )
        return assertion, known


def _bad(sentence: str, expected: object, found: object, field: str) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, expected=expected, found=found, field=field)
