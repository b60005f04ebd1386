"""Every domain tag, in one table (docs/spec/encoding.md, Domain tags).

A tag begins each hash or MAC whose meaning could otherwise be taken for another's. All are ASCII, start with
`consent-ledger/v1/` and end in a NUL byte, and none is a prefix of another (tested): that is what makes
`tag ‖ message` unambiguous. A changed meaning is a new version of the tag, never a new reading of an old one.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = b"consent-ledger/v1/"

TERMS: Final = b"consent-ledger/v1/terms\0"
"""`terms_hash = H(TERMS ‖ CL-JSON of the terms)` (docs/spec/consents.md)."""

CHAIN: Final = b"consent-ledger/v1/chain\0"
"""`chain = H(CHAIN ‖ UTF-8 of the consent id, subject reference or operator chain name)` (docs/spec/leaves.md)."""

ACCOUNTS: Final = b"consent-ledger/v1/accounts\0"
"""`accounts_hash = H(ACCOUNTS ‖ CL-JSON of {"accounts":[…]})`."""

COMMITMENT: Final = b"consent-ledger/v1/commitment\0"
"""`commitment = HMAC(opening, COMMITMENT ‖ H(evidence))` (docs/spec/leaves.md)."""

CHALLENGE: Final = b"consent-ledger/v1/challenge\0"
"""`challenge = H(CHALLENGE ‖ nonce ‖ CL-JSON of what is agreed to)` (docs/spec/consents.md)."""

CATALOGUE: Final = b"consent-ledger/v1/catalogue\0"
"""`catalogue = H(CATALOGUE ‖ catalogue by RFC 8785)`: how a log names a ruleset from 3 on (docs/spec/leaves.md)."""

PACK_LEAF: Final = b"consent-ledger/v1/pack-leaf\0"
"""A leaf of an evidence pack, which is a tree of its own beside the log."""

PACK_ROOT: Final = b"consent-ledger/v1/pack-root\0"
"""The root of an evidence pack."""

FINDINGS: Final = b"consent-ledger/v1/findings\0"
"""`findings_hash = H(FINDINGS ‖ each finding and a newline)` (docs/spec/reconciliation.md)."""

SHEET: Final = b"consent-ledger/v1/sheet\0"
"""`jti = H(SHEET ‖ root ‖ be64(position))[:16]` of a sheet of attested history (docs/spec/history.md)."""

TAGS: Final[dict[str, bytes]] = {
    "terms": TERMS,
    "chain": CHAIN,
    "commitment": COMMITMENT,
    "accounts": ACCOUNTS,
    "challenge": CHALLENGE,
    "findings": FINDINGS,
    "pack-leaf": PACK_LEAF,
    "pack-root": PACK_ROOT,
    "sheet": SHEET,
}
"""Name to tag: the table the specification prints and the tests walk."""
