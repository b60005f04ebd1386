"""The hash SM3 (GB/T 32905-2016): by OpenSSL where Python has it, else in plain Python, slow and readable."""

from __future__ import annotations

import hashlib
import struct

_START = (0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E)
_MASK = 0xFFFFFFFF


def digest(message: bytes) -> bytes:
    """The 32 bytes of SM3."""
    try:
        return hashlib.new("sm3", message).digest()
    except ValueError:  # a Python whose OpenSSL has no SM3
        return pure(message)


def pure(message: bytes) -> bytes:
    """As `digest`, by the standard's own words (its section 5)."""
    padded = message + b"\x80" + bytes(-(len(message) + 9) % 64) + struct.pack(">Q", 8 * len(message))
    state: tuple[int, ...] = _START
    for at in range(0, len(padded), 64):
        state = _compress(state, padded[at : at + 64])
    return struct.pack(">8I", *state)


def _compress(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    words = [*struct.unpack(">16I", block)]
    for j in range(16, 68):
        mixed = words[j - 16] ^ words[j - 9] ^ _turn(words[j - 3], 15)
        words.append(mixed ^ _turn(mixed, 15) ^ _turn(mixed, 23) ^ _turn(words[j - 13], 7) ^ words[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        constant = 0x79CC4519 if j < 16 else 0x7A879D8A
        ss1 = _turn(_turn(a, 12) + e + _turn(constant, j % 32) & _MASK, 7)
        ss2 = ss1 ^ _turn(a, 12)
        ff = a ^ b ^ c if j < 16 else (a & b) | (a & c) | (b & c)
        gg = e ^ f ^ g if j < 16 else (e & f) | (~e & g)
        tt1 = ff + d + ss2 + (words[j] ^ words[j + 4]) & _MASK
        tt2 = gg + h + ss1 + words[j] & _MASK
        a, b, c, d = tt1, a, _turn(b, 9), c
        e, f, g, h = tt2 ^ _turn(tt2, 9) ^ _turn(tt2, 17), e, _turn(f, 19), g
    return tuple(old ^ new for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True))


def _turn(word: int, bits: int) -> int:
    """Rotate left."""
    return (word << bits | word >> (32 - bits)) & _MASK
