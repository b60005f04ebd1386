"""Every domain tag of the protocol, in one table.

A tag begins each hash or MAC whose meaning could otherwise be taken for another's. All are ASCII, start with
`consent-ledger/v1/` and end in a NUL byte, and none is a prefix of another (tested): that is what makes
`tag ‖ message` unambiguous. A changed meaning is a new version of the tag, never a new reading of an old one.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = b"consent-ledger/v1/"

TERMS: Final = b"consent-ledger/v1/terms\0"
"""`terms_hash = H(TERMS ‖ CL-JSON of the terms)` (protocol, Terms of a consent)."""

CHAIN: Final = b"consent-ledger/v1/chain\0"
"""`chain = H(CHAIN ‖ UTF-8 of the consent id, subject reference or operator chain name)` (protocol, Leaves)."""

COMMITMENT: Final = b"consent-ledger/v1/commitment\0"
"""`commitment = HMAC(opening, COMMITMENT ‖ H(evidence))` (protocol, Leaves)."""

CHALLENGE: Final = b"consent-ledger/v1/challenge\0"
"""`challenge = H(CHALLENGE ‖ nonce ‖ CL-JSON of what is agreed to)` (protocol, The customer's own signature)."""

TAGS: Final[dict[str, bytes]] = {
    "terms": TERMS,
    "chain": CHAIN,
    "commitment": COMMITMENT,
    "challenge": CHALLENGE,
}
"""Name to tag: the table the specification prints and the tests walk."""
