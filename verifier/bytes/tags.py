"""Domain tags: a hash's purpose is part of its input (docs/spec/encoding.md).

All are ASCII, end in one NUL byte, and none is a prefix of another, so a hash made for one purpose can never be
shown as a hash made for another.
"""

from __future__ import annotations

TERMS = b"consent-ledger/v1/terms\0"
CHAIN = b"consent-ledger/v1/chain\0"
COMMITMENT = b"consent-ledger/v1/commitment\0"
ACCOUNTS = b"consent-ledger/v1/accounts\0"
CHALLENGE = b"consent-ledger/v1/challenge\0"
FINDINGS = b"consent-ledger/v1/findings\0"
SHEET = b"consent-ledger/v1/sheet\0"
PACK_LEAF = b"consent-ledger/v1/pack-leaf\0"
PACK_ROOT = b"consent-ledger/v1/pack-root\0"

ALL = (TERMS, CHAIN, COMMITMENT, ACCOUNTS, CHALLENGE, FINDINGS, SHEET, PACK_LEAF, PACK_ROOT)
