"""Nonces for DPoP proofs (RFC 9449 §8, §9): a proof that was made before this server spoke is refused.

Nothing is stored. A nonce is a minute and this ledger's signature over it, under the key of its tokens: every process and
every host that gives tokens takes the nonces of all others.
"""

from __future__ import annotations

import threading
from typing import Final

from api.http.refusals import BadRequest
from api.tokens.dpop import Proof, check_proof
from api.tokens.jwt import BadToken
from api.tokens.keys import TokenSigner
from ledger.canonical import b64u, unb64u
from ledger.errors import BadEncoding, BadSignature
from ledger.kept import Kept

PERIOD: Final = 60
"""Seconds for which one nonce is handed out; it is taken in these and in the next."""
NONCE_HEADER: Final = b"dpop-nonce"
_DOMAIN: Final = b"consent-ledger/v1/dpop-nonce\0"
_KNOWN: Final = 256


class NonceWanted(BadToken):
    """A proof brings no nonce, or one that is over: the client repeats its request with the one that the answer tells."""


def refused_proof(error: BadToken) -> BadRequest:
    """How the endpoints of the token service refuse a proof (RFC 9449 §5, §8)."""
    if isinstance(error, NonceWanted):
        return BadRequest(f"{error}: repeat the request with the one in DPoP-Nonce", error="use_dpop_nonce")
    return BadRequest(f"the DPoP proof is not valid: {error}", error="invalid_dpop_proof")


class Nonces:
    """Hands nonces out, and knows its own again. Thread-safe."""

    def __init__(self, signer: TokenSigner) -> None:
        self._signer = signer
        self._lock = threading.Lock()
        self._newest: tuple[int, str] = (-1, "")
        self._good: Kept[str, int] = Kept(_KNOWN)
        """Nonces that were checked, with their minute."""

    def current(self, now: float) -> str:
        """The nonce of this minute; `now` in seconds. Raises Unavailable when the key's place does not sign."""
        period = int(now) // PERIOD
        with self._lock:
            if self._newest[0] != period:
                self._newest = period, b64u(period.to_bytes(5) + self._signer.sign(_message(period)))
            return self._newest[1]

    def told(self, now: float) -> tuple[tuple[bytes, bytes], ...]:
        """The header that tells it (RFC 9449 §8.2)."""
        return ((NONCE_HEADER, self.current(now).encode()),)

    def check(self, nonce: object, now: float) -> None:
        """Raises NonceWanted unless this is a nonce of the last two minutes."""
        if not isinstance(nonce, str) or len(nonce) > 128:
            raise NonceWanted("the proof brings no nonce of this server")
        period = self._good.get(nonce)
        if period is None:
            period = self._read(nonce)
            self._good.put(nonce, period)
        if not 0 <= int(now) // PERIOD - period <= 1:
            raise NonceWanted("the proof's nonce is over")

    def _read(self, nonce: str) -> int:
        try:
            said = unb64u(nonce)
            period = int.from_bytes(said[:5])
            self._signer.public.verify(_message(period), said[5:])
        except (BadEncoding, BadSignature):
            raise NonceWanted("the proof's nonce is none of this server's") from None
        return period


def _message(period: int) -> bytes:
    return _DOMAIN + period.to_bytes(5)


def held_proof(proof: str | None, url: str, nonces: Nonces | None, now: float) -> Proof | None:
    """The proof of a POST to an endpoint of the token service, if one came; its one use is still to be noted. Raises
    BadRequest."""
    if proof is None:
        return None
    try:
        held = check_proof(proof, method="POST", urls=(url,), now=now)
        if nonces is not None:
            nonces.check(held.nonce, now)
    except BadToken as error:
        raise refused_proof(error) from None
    return held
