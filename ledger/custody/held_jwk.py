"""A key file that says where its key is kept: the public JWK, and the place's URI as one more member.

{"crv":"P-256","held_at":"pkcs11:token=…;object=…?module-path=…&pin-source=…","kty":"EC","x":"…","y":"…"}
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from ledger.canonical import encode, unb64u
from ledger.custody.held import KEY_BYTES, HeldAlgorithm, HeldKey, jwk_of
from ledger.custody.places import held_key, make_held_key, place_of
from ledger.errors import BadEncoding, Conflict, InvalidInput
from ledger.secrets import write_secret

_PLACE: Final = "held_at"


def read_held_jwk(data: bytes) -> HeldKey | None:
    """The key that a file names, which is asked when it signs; None when the file names none. Raises InvalidInput."""
    try:
        members = msgspec.json.decode(data, type=dict[str, str])
    except msgspec.DecodeError:
        return None
    if _PLACE not in members:
        return None
    uri = members.pop(_PLACE)
    alg: HeldAlgorithm = "ES256" if members.get("kty") == "EC" else "EdDSA"
    try:
        public = b"".join(unb64u(members[name], size=32) for name in ("x", "y") if name in members)
    except BadEncoding:
        public = b""
    if len(public) != KEY_BYTES[alg] or jwk_of(alg, public) != members:
        raise InvalidInput(f"a key file names the place {uri}, and no public JWK of an Ed25519 or P-256 key beside it")
    return held_key(uri, alg, public)


def make_held_jwk(path: Path, place: str, alg: HeldAlgorithm) -> HeldKey:
    """Make a key at the URI `place`, or take the one that is there, and write the file that names it.

    Raises Conflict when the file exists, InvalidInput, Unavailable.
    """
    if path.exists():
        raise Conflict(f"{path} exists already; a key is never overwritten")
    uri = place_of(place)
    if isinstance(uri, Path):
        raise InvalidInput(f"{place} is not the URI of a place that keeps keys")
    try:
        key = make_held_key(uri, alg)
    except Conflict:
        key = held_key(uri, alg)
    write_secret(path, encode({**jwk_of(alg, key.public), _PLACE: uri}) + b"\n")
    return key
