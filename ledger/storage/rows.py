"""Between rows and the core's types: sealing and opening what is encrypted at rest."""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from ledger.consent.state import Approvals, Consent, Pending, Status
from ledger.entries.assertion import Credential
from ledger.entries.leaf import OPENING_SIZE, consent_chain
from ledger.entries.terms import Terms
from ledger.errors import Corrupt
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
    seq: int = -1
    """`seq` of the chain's entry that the state rests on, and below it that entry's leaf hash; −1 in rows of older versions."""
    leaf_hash: bytes = b""
    status: str = ""
    subject_chain: bytes = b""
    basis: int = -1
    used_day: int = -1
    used_today: int = 0
    used: dict[str, tuple[int, int]] = {}
    once_until: int = 0
    taken: tuple[str, ...] = ()


class StoredConsent(NamedTuple):
    """A consent's state as its row has it, and the entry of its chain that it rests on."""

    consent: Consent
    seq: int
    leaf_hash: bytes


_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(_SealedConsent)
_credential_decoder: Final = msgspec.msgpack.Decoder(tuple[str, bytes, str])


def entry_row(entry: Entry, cipher: Cipher | None) -> tuple[Any, ...]:
    """The row of a planned entry, in the order of ENTRY_COLUMNS."""
    sealed = None
    if cipher is not None and entry.evidence is not None and entry.opening is not None:
        sealed = cipher.seal(entry.opening + pack(entry.evidence), evidence_place(entry.index))
    return (
        entry.index,
        entry.kind.value,
        entry.chain,
        entry.seq,
        entry.leaf,
        entry.leaf_hash,
        sealed,
        entry.iss,
        entry.jti,
        entry.position,
        entry.payload_hash,
    )


def open_evidence(index: int, sealed: bytes, cipher: Cipher) -> tuple[bytes, bytes]:
    """(evidence, opening) of a stored entry, from the database or where its body was moved. Raises Corrupt, BodiesAway."""
    plain = cipher.open_body(index, sealed)
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
        credential_id=credential_id,
        subject_chain=row.subject_chain,
        public_key=public_key,
        rp_id=rp_id,
        enrolled_at=row.enrolled_at,
        unenrolled_at=row.unenrolled_at,
    )


def erased_credential(row: Any, credential_id: str) -> Credential:
    """A passkey whose customer was erased: its id stays taken, and it opens to nobody."""
    return Credential(
        credential_id=credential_id,
        subject_chain=row.subject_chain,
        public_key=b"",
        rp_id="",
        enrolled_at=row.enrolled_at,
        unenrolled_at=row.enrolled_at,
    )


def consent_row(consent: Consent, opened_at: int, cipher: Cipher, rests_on: tuple[int, bytes]) -> dict[str, Any]:
    """The row of a consent's state; `opened_at` is the index of its request, `rests_on` the `seq` and the leaf hash of the
    last entry of its chain.

    Everything is in the sealed part, which nobody writes without the data key; the columns in clear only find rows.
    """
    chain = consent_chain(consent.consent_id)
    body = _SealedConsent(
        consent.consent_id,
        consent.version,
        consent.terms,
        consent.pending,
        (),
        consent.accounts,
        consent.subject,
        consent.approvals,
        consent.joint,
        consent.withdrawn,
        consent.separate,
        consent.authenticated_at,
        consent.confirmed_at,
        *rests_on,
        consent.status.value,
        consent.subject_chain,
        consent.basis,
        consent.used_day,
        consent.used_today,
        dict(consent.used),
        consent.once_until,
        consent.taken,
    )
    return {
        "chain": chain,
        "opened_at": opened_at,
        "sealed": cipher.seal(_encode(body), consent_place(chain)),
    } | in_clear(consent)


def in_clear(consent: Consent) -> dict[str, Any]:
    """What of a consent's state stands in columns, so that rows can be found by it."""
    return {
        "recipient": consent.terms.recipient,
        "holder": consent.terms.holder,
        "subject_chain": consent.subject_chain or None,
        "status": consent.status.value,
        "expires_at": consent.terms.expires_at,
        "basis": consent.basis,
        "used_day": consent.used_day,
        "used_today": consent.used_today,
        "once_until": consent.once_until,
    }


def open_consent(row: Any, cipher: Cipher) -> StoredConsent:
    """The state in a row of `consents`, from its sealed part alone. Raises Corrupt when a column says something else.

    Whether it is still the chain's state, `standing` says; nothing is decided or shown before.
    """
    place = f"the stored state of the consent that entry {row.opened_at} asked for"
    try:
        body = _decoder.decode(cipher.open(row.sealed, consent_place(row.chain)))
    except msgspec.MsgspecError:
        raise Corrupt(f"{place} is not of the form that this version writes") from None
    if body.seq < 0 or body.approvals is None:
        raise Corrupt(f"{place} was written by an older version: run «consent-ledger migrate»")
    consent = Consent(
        consent_id=body.consent_id,
        version=body.version,
        status=Status(body.status),
        terms=body.terms,
        pending=body.pending,
        approvals=body.approvals,
        joint=body.joint,
        withdrawn=body.withdrawn,
        accounts=body.accounts,
        separate=body.separate,
        authenticated_at=body.authenticated_at,
        confirmed_at=body.confirmed_at,
        subject=body.subject,
        subject_chain=body.subject_chain,
        basis=body.basis,
        used_day=body.used_day,
        used_today=body.used_today,
        used=body.used,
        once_until=body.once_until,
        taken=body.taken,
    )
    changed = [name for name, value in in_clear(consent).items() if getattr(row, name) != value]
    if changed:
        raise Corrupt(
            f"{place} was changed in the database: {', '.join(changed)} is not what was sealed. {AFTER_CHANGE}"
        )
    return StoredConsent(consent, body.seq, body.leaf_hash)


AFTER_CHANGE: Final = "Nothing rests on it. Run «consent-ledger check», and see docs/operating.md, «A changed row»"


def is_of_older_version(row: Any, cipher: Cipher) -> bool:
    """Whether the row's sealed part does not say yet what it rests on. Raises Corrupt."""
    try:
        return _decoder.decode(cipher.open(row.sealed, consent_place(row.chain))).seq < 0
    except msgspec.MsgspecError:  # a version that waited had another form before ruleset 2
        return True
