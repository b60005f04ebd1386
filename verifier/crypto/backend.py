"""Which code checks the signatures: a fast library if one is there, else our own; the verdicts are the same.

Ed25519: PyNaCl, else cryptography, else pure. ES256 and PS256: cryptography, else pure. SM2: pure, since neither of the two
has it. ML-DSA-44: cryptography, or nobody: who cannot verify it does not count it. The environment variable
CONSENT_VERIFY_CRYPTO (`auto`, `pure`, `pynacl`, `cryptography`) or the argument of `select` forces one; a forced
library that is missing is CannotCheck, never a silent change. All forms (lengths, ranges, points, small orders) are
checked by our own code first, so a library is only asked about well-formed input.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from verifier.crypto import ed25519, p256, rsa, sm2
from verifier.crypto.keys import Ed25519Key, P256Key, PublicKey, Sm2Key
from verifier.errors import CannotCheck

VARIABLE = "CONSENT_VERIFY_CRYPTO"
CHOICES = ("auto", "pure", "pynacl", "cryptography")


@dataclass(frozen=True, slots=True)
class Backend:
    """The checks; each returns None or raises Refuted(BAD_SIGNATURE). `name` is the library's."""

    name: str
    ed25519: Callable[[bytes, bytes, bytes], None]
    es256: Callable[[int, int, bytes, bytes], None]
    ps256: Callable[[int, int, bytes, bytes], None]
    sm2: Callable[[int, int, bytes, bytes], None] = sm2.verify
    ml_dsa_44: Callable[[bytes, bytes, bytes], None] | None = None

    def verify(self, key: PublicKey, message: bytes, signature: bytes) -> None:
        """Verify `signature` (Ed25519: 64 bytes, ES256 and SM2: 64 bytes r || s, PS256: as long as the modulus)."""
        if isinstance(key, Ed25519Key):
            self.ed25519(key.raw, message, signature)
        elif isinstance(key, P256Key):
            self.es256(key.x, key.y, message, signature)
        elif isinstance(key, Sm2Key):
            self.sm2(key.x, key.y, message, signature)
        else:
            self.ps256(key.n, key.e, message, signature)


PURE = Backend("pure", ed25519.verify, p256.verify, rsa.verify)


def select(choice: str | None = None) -> Backend:
    """The backend asked for by `choice`, else by the environment, else the best there is. Raises CannotCheck."""
    wanted = choice or os.environ.get(VARIABLE) or "auto"
    if wanted not in CHOICES:
        raise CannotCheck(f"unknown signature backend {wanted!r}: choose one of {', '.join(CHOICES)}")
    return _build(wanted)


@lru_cache(maxsize=4)
def _build(wanted: str) -> Backend:
    if wanted == "pure":
        return PURE
    sodium = _pynacl() if wanted in ("auto", "pynacl") else None
    openssl = _cryptography() if wanted in ("auto", "cryptography") else None
    if (wanted == "pynacl" and sodium is None) or (wanted == "cryptography" and openssl is None):
        raise CannotCheck(f"the signature backend {wanted!r} is not installed")
    base = openssl or PURE
    names = {f"Ed25519 {'pynacl' if sodium else base.name}", f"ES256 and PS256 {base.name}"}
    ml_dsa_44 = None if openssl is None else openssl.ml_dsa_44
    return Backend(", ".join(sorted(names)), sodium or base.ed25519, base.es256, base.ps256, ml_dsa_44=ml_dsa_44)


def _pynacl() -> Callable[[bytes, bytes, bytes], None] | None:
    try:
        from verifier.crypto import with_pynacl  # noqa: PLC0415 - the library is optional
    except ImportError:
        return None
    return with_pynacl.verify_ed25519


def _cryptography() -> Backend | None:
    try:
        from verifier.crypto import with_cryptography as library  # noqa: PLC0415 - the library is optional
    except ImportError:
        return None
    return Backend(
        "cryptography", library.verify_ed25519, library.verify_es256, library.verify_ps256, ml_dsa_44=_ml_dsa_44()
    )


def _ml_dsa_44() -> Callable[[bytes, bytes, bytes], None] | None:
    try:
        from verifier.crypto.ml_dsa import verify  # noqa: PLC0415 - not every cryptography has it
    except ImportError:
        return None
    return verify
