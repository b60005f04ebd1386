"""Signatures that come out the same each time: Ed25519, ECDSA on P-256 with a derived nonce, RSA-PSS with a derived salt.

Throw-away keys: each follows from its label, so that nothing secret lies in the repository. For vectors only.
"""

from __future__ import annotations

from functools import cache

from nacl.signing import SigningKey

from tests.vectors.hashing import Json, b64u, draw, encode, sha

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None


def _add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    if a == b:
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(scalar: int) -> tuple[int, int]:
    """The scalar times the generator of P-256."""
    total: Point = None
    addend: Point = G
    while scalar:
        if scalar & 1:
            total = _add(total, addend)
        addend, scalar = _add(addend, addend), scalar >> 1
    assert total is not None
    return total


def der(r: int, s: int) -> bytes:
    def integer(number: int) -> bytes:
        raw = number.to_bytes(number.bit_length() // 8 + 1)
        return bytes([2, len(raw)]) + raw

    body = integer(r) + integer(s)
    return bytes([0x30, len(body)]) + body


class Ed25519:
    alg = "EdDSA"

    def __init__(self, label: str) -> None:
        self.key = SigningKey(draw(f"key {label}"))
        self.public = bytes(self.key.verify_key)
        self.jwk: Json = {"crv": "Ed25519", "kty": "OKP", "x": b64u(self.public)}
        self.cose = bytes.fromhex("a4010103272006215820") + self.public

    def sign(self, message: bytes) -> bytes:
        return bytes(self.key.sign(message).signature)


class P256:
    alg = "ES256"

    def __init__(self, label: str) -> None:
        self.secret = int.from_bytes(draw(f"key {label}")) % (N - 1) + 1
        x, y = multiply(self.secret)
        self.x, self.y = x.to_bytes(32), y.to_bytes(32)
        self.jwk: Json = {"crv": "P-256", "kty": "EC", "x": b64u(self.x), "y": b64u(self.y)}
        self.cose = bytes.fromhex("a5010203262001215820") + self.x + b"\x22\x58\x20" + self.y

    def numbers(self, message: bytes) -> tuple[int, int]:
        k = int.from_bytes(sha(self.secret.to_bytes(32), message)) % (N - 1) + 1
        r = multiply(k)[0] % N
        return r, pow(k, -1, N) * (int.from_bytes(sha(message)) + r * self.secret) % N

    def sign(self, message: bytes) -> bytes:
        r, s = self.numbers(message)
        return r.to_bytes(32) + s.to_bytes(32)

    def sign_der(self, message: bytes) -> bytes:
        return der(*self.numbers(message))


class Rsa:
    """`bits`: of the modulus."""

    alg = "PS256"

    def __init__(self, label: str, bits: int = 2048) -> None:
        p, q = _prime(f"{label} p", bits // 2), _prime(f"{label} q", bits // 2)
        self.n, self.d = p * q, pow(65_537, -1, (p - 1) * (q - 1))
        self.octets = bits // 8
        self.jwk: Json = {"e": "AQAB", "kty": "RSA", "n": b64u(self.n.to_bytes(self.octets))}

    def sign(self, message: bytes, salt_length: int = 32) -> bytes:
        """RFC 8017 §9.1.1 with SHA-256."""
        salt = draw("salt " + sha(message).hex(), salt_length)
        digest = sha(bytes(8), sha(message), salt)
        block = b"\1" + salt
        block = bytes(self.octets - 33 - len(block)) + block
        mask = b"".join(sha(digest, n.to_bytes(4)) for n in range(len(block) // 32 + 1))
        masked = bytes(a ^ b for a, b in zip(block, mask, strict=False))
        encoded = bytes([masked[0] & 0x7F]) + masked[1:] + digest + b"\xbc"
        return pow(int.from_bytes(encoded), self.d, self.n).to_bytes(self.octets)


@cache
def _prime(label: str, bits: int) -> int:
    """The first prime above a drawn number whose two highest bits are set."""
    candidate = int.from_bytes(draw(f"prime {label}", bits // 8)) | 3 << bits - 2 | 1
    while not _is_prime(candidate):
        candidate += 2
    return candidate


def _is_prime(n: int) -> bool:
    if any(n % small == 0 for small in range(3, 2_000, 2)) or n % 65_537 == 1:
        return False
    odd, twos = n - 1, 0
    while not odd & 1:
        odd, twos = odd >> 1, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29):
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


Key = Ed25519 | P256 | Rsa


def jws(key: Key, kid: str, payload: bytes, header: Json | None = None) -> str:
    top = {"alg": key.alg, "kid": kid, "typ": "consent-statement+jwt"} if header is None else header
    signed = b64u(encode(top)) + "." + b64u(payload)
    return signed + "." + b64u(key.sign(signed.encode()))


def key_id(name: str, data: bytes) -> bytes:
    return sha(name.encode() + b"\n" + data)[:4]
