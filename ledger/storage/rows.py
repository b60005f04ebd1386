"""Between rows and the core's types: sealing and opening what is encrypted at rest."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
from msgspec import Struct

from ledger.consent.state import LIVE, Approval, Approvals, Consent, Pending, Status
from ledger.entries.assertion import Credential
from ledger.entries.leaf import OPENING_SIZE, consent_chain
from ledger.entries.terms import Terms
from ledger.planning.world import Entry
from ledger.storage.packing import pack, unpack
from ledger.vault.cipher import Cipher, consent_place, credential_place, evidence_place


class _SealedConsent(Struct, frozen=True, array_like=True):
    """What of a consent's state is encrypted: all that may tell something about a person."""

    consent_id: str
    version: int
    terms: Terms
    pending: Pending | None
    authorisers: tuple[str, ...]
    accounts: tuple[str, ...]
    subject: str
    approvals: Approvals | None = None
    """None in rows that were written before ruleset 2."""
    joint: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    separate: tuple[str, ...] = ()
    authenticated_at: int = 0
    confirmed_at: int = 0


_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(_SealedConsent)
_credential_decoder: Final = msgspec.msgpack.Decoder(tuple[str, bytes, str])


def entry_row(entry: Entry, cipher: Cipher | None) -> tuple[Any, ...]:
    """The row of a planned entry, in the order of ENTRY_COLUMNS."""
    sealed = None
    if cipher is not None and entry.evidence is not None and entry.opening is not None:
        sealed = cipher.seal(entry.opening + pack(entry.evidence), evidence_place(entry.index))
    return (
        entry.index, entry.kind.value, entry.chain, entry.seq, entry.leaf, entry.leaf_hash, sealed, entry.iss, entry.jti,
        entry.position, entry.payload_hash,
    )  # fmt: skip


def open_evidence(index: int, sealed: bytes, cipher: Cipher) -> tuple[bytes, bytes]:
    """(evidence, opening) of a stored entry. Raises Corrupt."""
    plain = cipher.open(sealed, evidence_place(index))
    return unpack(plain[OPENING_SIZE:]), plain[:OPENING_SIZE]


def credential_digest(credential_id: str) -> bytes:
    """The key of a passkey's row."""
    return hashlib.sha256(credential_id.encode()).digest()


def credential_row(credential: Credential, cipher: Cipher) -> dict[str, Any]:
    """The row of a passkey."""
    digest = credential_digest(credential.credential_id)
    body = _encode((credential.credential_id, credential.public_key, credential.rp_id))
    return {
        "digest": digest,
        "subject_chain": credential.subject_chain,
        "enrolled_at": credential.enrolled_at,
        "unenrolled_at": credential.unenrolled_at,
        "sealed": cipher.seal(body, credential_place(digest)),
    }


def read_credential(row: Any, cipher: Cipher) -> Credential:
    """The passkey of a row of `credentials`. Raises Corrupt."""
    credential_id, public_key, rp_id = _credential_decoder.decode(cipher.open(row.sealed, credential_place(row.digest)))
    return Credential(
        credential_id=credential_id, subject_chain=row.subject_chain, public_key=public_key, rp_id=rp_id,
        enrolled_at=row.enrolled_at, unenrolled_at=row.unenrolled_at,
    )  # fmt: skip


def erased_credential(row: Any, credential_id: str) -> Credential:
    """A passkey whose customer was erased: its id stays taken, and it opens to nobody."""
    return Credential(
        credential_id=credential_id, subject_chain=row.subject_chain, public_key=b"", rp_id="",
        enrolled_at=row.enrolled_at, unenrolled_at=row.enrolled_at,
    )  # fmt: skip


def consent_row(consent: Consent, opened_at: int, cipher: Cipher) -> dict[str, Any]:
    """The row of a consent's state; `opened_at` is the index of its request."""
    chain = consent_chain(consent.consent_id)
    body = _SealedConsent(
        consent.consent_id, consent.version, consent.terms, consent.pending, (), consent.accounts, consent.subject,
        consent.approvals, consent.joint, consent.withdrawn, consent.separate, consent.authenticated_at,
        consent.confirmed_at,
    )  # fmt: skip
    return {
        "chain": chain,
        "recipient": consent.terms.recipient,
        "holder": consent.terms.holder,
        "subject_chain": consent.subject_chain or None,
        "status": consent.status.value,
        "expires_at": consent.terms.expires_at,
        "opened_at": opened_at,
        "basis": consent.basis,
        "used_day": consent.used_day,
        "used_today": consent.used_today,
        "sealed": cipher.seal(_encode(body), consent_place(chain)),
    }


def open_consent(row: Any, cipher: Cipher) -> tuple[Consent, bool]:
    """The consent of a row of `consents`, and whether all of its state is exact. Raises Corrupt.

    A row written before ruleset 2 does not say which authoriser gave which account, or when: each is taken to have given
    all. That is good enough for what is shown; before such a consent is moved, `refold` reads its chain.
    """
    body = _decoder.decode(cipher.open(row.sealed, consent_place(row.chain)))
    approvals, is_exact = body.approvals, True
    if approvals is None:
        approvals = tuple(Approval(authoriser, body.accounts) for authoriser in body.authorisers)
        is_exact = not approvals or row.status not in LIVE
    consent = Consent(
        consent_id=body.consent_id,
        version=body.version,
        status=Status(row.status),
        terms=body.terms,
        pending=body.pending,
        approvals=approvals,
        joint=body.joint,
        withdrawn=body.withdrawn,
        accounts=body.accounts,
        separate=body.separate,
        authenticated_at=body.authenticated_at,
        confirmed_at=body.confirmed_at,
        subject=body.subject,
        subject_chain=row.subject_chain or b"",
        basis=row.basis,
        used_day=row.used_day,
        used_today=row.used_today,
    )
    return consent, is_exact


def read_consent(row: Any, cipher: Cipher) -> Consent:
    """The consent of a row of `consents`, for showing it. Raises Corrupt."""
    return open_consent(row, cipher)[0]
