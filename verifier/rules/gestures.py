"""Passkeys in log order: enrolments, and the confirmations that rest on them (docs/spec/passkeys.md).

`passkey` checks the form and the signature of an assertion. This module checks that this holder enrolled the credential
at a lower index, for the subject that the accompanying subject.consent names, and that the customer's signature covers
this very authorisation.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from verifier.bytes.encoding import Json, Object, encode_base64url, get_texts
from verifier.crypto.backend import Backend
from verifier.errors import Code, Refuted, refuted
from verifier.records.commitment import accounts_hash
from verifier.records.passkey import Assertion, parse_assertion, verify_assertion
from verifier.rules.chain_store import HOT, Store
from verifier.tlog.trust import Trust

NOT_ENROLLED = "the passkey is not enrolled by this holder at a lower index"


class Enrolment(NamedTuple):
    """A credential: the subject chain (base64url) it was enrolled in, the holder, key and rpId; whether it was ended since."""

    chain: str
    holder: str
    public_key: str
    rp_id: str
    ended: bool = False


class Gestures:
    """The enrolments so far. `passkeys`: every credential that was ever enrolled, by its id; each is enrolled once."""

    def __init__(self, trust: Trust, backend: Backend, hot: int = HOT) -> None:
        self.trust, self.backend = trust, backend
        self.passkeys = Store[Enrolment](json.dumps, lambda text: Enrolment(*json.loads(text)), hot)

    def enrolment(self, credential: str) -> Enrolment | None:
        """The enrolment of this credential, if it is in force."""
        known = self.passkeys.get(_name(credential))
        return None if known is None or known.ended else known

    def enrol(self, chain: bytes, holder: str, content: Object) -> None:
        """A subject.enrol. Raises Refuted(CONSENT_INVALID)."""
        credential = str(content["credential_id"])
        if self.passkeys.get(_name(credential)) is not None:
            raise _bad("the credential was enrolled before", "a new credential", credential, "credential_id")
        enrolment = Enrolment(chain.decode(), holder, str(content["public_key"]), str(content["rp_id"]))
        self.passkeys.put(_name(credential), enrolment)

    def unenrol(self, chain: bytes, content: Object) -> None:
        """A subject.unenrol. Raises Refuted(CONSENT_INVALID)."""
        credential = str(content["credential_id"])
        known = self.enrolment(credential)
        if known is None or known.chain != chain.decode():
            raise _bad(
                "the credential is not enrolled for this subject",
                "an enrolled one",
                credential,
                "credential_id",
            )
        self.passkeys.put(_name(credential), known._replace(ended=True))

    def confirm(self, record: Object, act: str, holder: str, content: Object) -> tuple[Assertion, Enrolment]:
        """An assertion under an authorisation: the parsed record and the enrolment it rests on.
        Raises Refuted (BAD_ENCODING, CONSENT_INVALID)."""
        credential = str(record.get("credential_id"))
        known = self.enrolment(credential)
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

    def close(self) -> None:
        """Give temporary files back."""
        self.passkeys.close()


def _name(credential: str) -> bytes:
    return credential.encode("utf-8", "surrogatepass")


def _bad(sentence: str, expected: object, found: object, field: str) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, expected=expected, found=found, field=field)
