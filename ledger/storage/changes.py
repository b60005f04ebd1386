"""What a batch changes beside the entries it adds: the states of consents, passkeys, and the challenges they used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, update

from ledger.canonical import unb64u
from ledger.consent.state import Consent
from ledger.entries.leaf import consent_chain
from ledger.planning.world import Entry, Plan
from ledger.storage.rows import consent_row, credential_row
from ledger.storage.tables import consents, credentials, used_challenges
from ledger.vault.keystore import KeyStore

# made once: building a statement costs more than running it
_CHANGE_CONSENT: Final = (
    update(consents)
    .where(consents.c.chain == bindparam("new_chain"))
    .values({one.name: bindparam(f"new_{one.name}") for one in consents.c if one.name not in ("chain", "opened_at")})
)


def write_consents(
    connection: Connection, planned: Sequence[Entry], changed: Mapping[str, Consent], ciphers: Mapping[bytes, Any]
) -> None:
    """The states of these consents after the planned entries; `ciphers` by chain."""
    if not changed:
        return
    opened = {entry.consent_id: entry.index for entry in planned if entry.act == "consent.request"}
    last = {entry.chain: (entry.seq or 0, entry.leaf_hash) for entry in planned}
    new, old = [], []
    for consent_id, consent in changed.items():
        chain = consent_chain(consent_id)
        row = consent_row(consent, opened.get(consent_id, 0), ciphers[chain], last[chain])
        if consent_id in opened:
            new.append(row)
        else:
            old.append({f"new_{name}": value for name, value in row.items()})
    if new:
        connection.execute(insert(consents), new)
    if old:
        connection.execute(_CHANGE_CONSENT, old)


def write_passkeys(connection: Connection, plan: Plan, keystore: KeyStore) -> None:
    """The passkeys that the plan enrols or ends, and the challenges that its entries use."""
    for credential in plan.credentials.values():
        row = credential_row(credential, keystore.cipher(credential.subject_chain))
        if credential.unenrolled_at is None:
            connection.execute(insert(credentials).values(row))
        else:
            key = credentials.c.digest == row["digest"]
            connection.execute(update(credentials).where(key).values(unenrolled_at=credential.unenrolled_at))
    if plan.challenges:
        used = [{"challenge": unb64u(text, size=32), "idx": index} for text, index in plan.challenges.items()]
        connection.execute(insert(used_challenges), used)
