"""SM2 signatures with SM3: checking only (GB/T 32918.2-2016 section 7, GB/T 32905-2016, docs/spec/ruleset-3.md, 8).

No library that we rely on has the curve: `cryptography` has SM3 alone, and the libraries that have SM2 are not kept up.
Checking handles public values only, so that its time tells nothing; nothing here signs.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.hashes import SM3, Hash

from ledger.errors import BadSignature, InvalidInput

_P: Final = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_00000000_FFFFFFFF_FFFFFFFF
_A: Final = _P - 3
_B: Final = 0x28E9FA9E_9D9F5E34_4D5A9E4B_CF6509A7_F39789F5_15AB8F92_DDBCBD41_4D940E93
_N: Final = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123
_GX: Final = 0x32C4AE2C_1F198119_5F990446_6A39C994_8FE30BBF_F2660BE1_715A4589_334C74C7
_GY: Final = 0xBC3736A2_F4F6779C_59BDCEE3_6B692153_D0A9877C_C62A4740_02DF32E5_2139F0A0
"""GB/T 32918.5-2017: the recommended curve."""
_IDENTITY: Final = b"1234567812345678"

_Jacobian = tuple[int, int, int]
"""X, Y, Z of a point; Z is 0 at infinity."""
_INFINITY: Final[_Jacobian] = (1, 1, 0)


def sm2_verifier(x: int, y: int) -> Sm2Verifier:
    """A verifier for the public key (x, y). Raises InvalidInput for what is no point of the curve."""
    if not (0 <= x < _P and 0 <= y < _P) or (y * y - (x * x * x + _A * x + _B)) % _P:
        raise InvalidInput("the public key is not a point on the curve of SM2")
    return Sm2Verifier(x, y)


class Sm2Verifier:
    """Checks signatures under one key. Calling it raises BadSignature."""

    __slots__ = ("_table", "_z")

    def __init__(self, x: int, y: int) -> None:
        numbers = (_A, _B, _GX, _GY, x, y)
        self._z = _sm3(bytes([0, 8 * len(_IDENTITY)]), _IDENTITY, *(number.to_bytes(32) for number in numbers))
        point, base = (x, y, 1), (_GX, _GY, 1)
        self._table = (_INFINITY, base, point, _add(base, point))

    def __call__(self, message: bytes, signature: bytes) -> None:
        """GB/T 32918.2-2016, 7.1: steps B1 to B7."""
        if len(signature) != 64:
            raise BadSignature(f"an SM2 signature has 64 bytes (r and s), not {len(signature)}")
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        t = (r + s) % _N
        if not (0 < r < _N and 0 < s < _N and t):
            raise BadSignature("r or s of the SM2 signature is not below the group order, or 0")
        at, _, width = self._sum(s, t)
        if not width:
            raise BadSignature("the SM2 signature does not verify")
        e = int.from_bytes(_sm3(self._z, message))
        if (e + at * pow(width, -2, _P) % _P) % _N != r:
            raise BadSignature("the SM2 signature does not verify")

    def _sum(self, s: int, t: int) -> _Jacobian:
        """[s]G + [t]P, both at once, from the highest bit down."""
        found = _INFINITY
        for bit in range(max(s.bit_length(), t.bit_length()) - 1, -1, -1):
            found = _double(found)
            chosen = (s >> bit & 1) | (t >> bit & 1) << 1
            if chosen:
                found = _add(found, self._table[chosen])
        return found


def _sm3(*parts: bytes) -> bytes:
    state = Hash(SM3())
    for part in parts:
        state.update(part)
    return state.finalize()


def _double(point: _Jacobian) -> _Jacobian:
    """For a curve with a = -3."""
    x, y, z = point
    if not z or not y:
        return _INFINITY
    yy, zz = y * y % _P, z * z % _P
    m = 3 * (x - zz) * (x + zz) % _P
    s = 4 * x * yy % _P
    at = (m * m - 2 * s) % _P
    return at, (m * (s - at) - 8 * yy * yy) % _P, 2 * y * z % _P


def _add(one: _Jacobian, other: _Jacobian) -> _Jacobian:
    x1, y1, z1 = one
    x2, y2, z2 = other
    if not z1:
        return other
    if not z2:
        return one
    zz1, zz2 = z1 * z1 % _P, z2 * z2 % _P
    u1, u2 = x1 * zz2 % _P, x2 * zz1 % _P
    s1, s2 = y1 * z2 * zz2 % _P, y2 * z1 * zz1 % _P
    h, r = (u2 - u1) % _P, (s2 - s1) % _P
    if not h:
        return _INFINITY if r else _double(one)
    hh = h * h % _P
    hhh, v = h * hh % _P, u1 * hh % _P
    at = (r * r - hhh - 2 * v) % _P
    return at, (r * (v - at) - s1 * hhh) % _P, z1 * z2 * h % _P
