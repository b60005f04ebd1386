"""SM2 signatures with SM3 that come out the same each time (GB/T 32918.2-2016, GB/T 32905-2016). For vectors only."""

from __future__ import annotations

import hashlib

from tests.vectors.hashing import Json, b64u, draw, sha

P = 2**256 - 2**224 - 2**96 + 2**64 - 1
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
Point = tuple[int, int]


def sm3(*parts: bytes) -> bytes:
    return hashlib.new("sm3", b"".join(parts)).digest()


def multiply(scalar: int, point: Point = G) -> Point:
    """From the highest bit down; the scalar is in 1..n-1, so that no step meets infinity."""
    total = point
    for bit in bin(scalar)[3:]:
        total = _line(total, total)
        if bit == "1":
            total = _line(total, point)
    return total


def _line(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    slope = (3 * (x1 * x1 - 1) * pow(2 * y1, -1, P) if a == b else (y2 - y1) * pow(x2 - x1, -1, P)) % P
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


class Sm2:
    alg = "SM2"

    def __init__(self, label: str, secret: int = 0) -> None:
        self.secret = secret or int.from_bytes(draw(f"key {label}")) % (N - 2) + 1
        self.x, self.y = (number.to_bytes(32) for number in multiply(self.secret))
        self.jwk: Json = {"crv": "SM2", "kty": "EC", "x": b64u(self.x), "y": b64u(self.y)}

    def identity(self, name: bytes = b"1234567812345678") -> bytes:
        """Z_A."""
        curve = (number.to_bytes(32) for number in (P - 3, B, *G))
        return sm3((8 * len(name)).to_bytes(2), name, *curve, self.x, self.y)

    def sign(self, message: bytes, nonce: int = 0, name: bytes = b"1234567812345678") -> bytes:
        k = nonce or int.from_bytes(sha(self.secret.to_bytes(32), message)) % (N - 2) + 1
        r = (int.from_bytes(sm3(self.identity(name), message)) + multiply(k)[0]) % N
        s = pow(1 + self.secret, -1, N) * (k - r * self.secret) % N
        return r.to_bytes(32) + s.to_bytes(32)
