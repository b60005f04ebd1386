"""Bytes, hashes, trees and maps, from the recursive definitions of docs/spec (encoding, leaves, log, packs). Nothing of ours is imported."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from typing import Any

Json = dict[str, Any]


def encode(value: Any) -> bytes:
    """CL-JSON. Names are ASCII and numbers integers here, so sorting by code points is RFC 8785's order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def b64u(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def tagged(tag: str, *parts: bytes) -> bytes:
    """A hash under a domain tag of encoding.md."""
    return sha(f"consent-ledger/v1/{tag}".encode() + b"\0", *parts)


def draw(label: str, length: int = 32) -> bytes:
    """Bytes that look random and are the same for ever: H(label ‖ be64(0)) ‖ H(label ‖ be64(1)) ‖ …"""
    return b"".join(sha(label.encode(), n.to_bytes(8)) for n in range(length // 32 + 1))[:length]


def chain_of(name: str) -> bytes:
    return tagged("chain", name.encode())


def terms_hash(terms: Json) -> bytes:
    return tagged("terms", encode(terms))


def accounts_hash(accounts: list[str]) -> bytes:
    return tagged("accounts", encode({"accounts": accounts}))


def commitment(evidence: bytes, opening: bytes) -> bytes:
    return hmac.digest(opening, b"consent-ledger/v1/commitment\0" + sha(evidence), "sha256")


def findings_hash(findings: list[Json]) -> bytes:
    return tagged("findings", *(encode(finding) + b"\n" for finding in findings))


# --- RFC 6962 trees -------------------------------------------------------------------------------------------


def leaf_hash(entry: bytes) -> bytes:
    return sha(b"\0", entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha(b"\1", left, right)


def cut(n: int) -> int:
    """The largest power of two below n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def root(hashes: list[bytes]) -> bytes:
    if len(hashes) < 2:
        return hashes[0] if hashes else sha()
    k = cut(len(hashes))
    return node_hash(root(hashes[:k]), root(hashes[k:]))


def inclusion(index: int, hashes: list[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = cut(len(hashes))
    if index < k:
        return [*inclusion(index, hashes[:k]), root(hashes[k:])]
    return [*inclusion(index - k, hashes[k:]), root(hashes[:k])]


def consistency(old: int, hashes: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962 §2.1.2: SUBPROOF(old, hashes, whole)."""
    if old == len(hashes):
        return [] if whole else [root(hashes)]
    k = cut(len(hashes))
    if old <= k:
        return [*consistency(old, hashes[:k], whole=whole), root(hashes[k:])]
    return [*consistency(old - k, hashes[k:], whole=False), root(hashes[:k])]


def subtree_consistency(start: int, end: int, hashes: list[bytes], *, whole: bool = True) -> list[bytes]:
    """The proof that the subtree start…end lies in the tree (draft-ietf-plants-merkle-tree-certs, SUBTREE_SUBPROOF)."""
    if (start, end) == (0, len(hashes)):
        return [] if whole else [root(hashes)]
    k = cut(len(hashes))
    if end <= k:
        return [*subtree_consistency(start, end, hashes[:k], whole=whole), root(hashes[k:])]
    if start >= k:
        return [*subtree_consistency(start - k, end - k, hashes[k:], whole=whole), root(hashes[:k])]
    return [*subtree_consistency(0, end - k, hashes[k:], whole=False), root(hashes[:k])]


# --- the completeness map -------------------------------------------------------------------------------------


def uv(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + uv(number >> 7)


def bit_of(key: bytes, bit: int) -> int:
    return key[bit // 8] >> 7 - bit % 8 & 1


def map_leaf(key: bytes, value: bytes) -> bytes:
    return sha(b"\0", uv(len(key)), key, uv(len(value)), value)


def branch(keys: list[bytes]) -> tuple[int, list[bytes], list[bytes]]:
    """The bit in which sorted keys first differ, and the keys on its two sides."""
    bit = next(bit for bit in range(256) if bit_of(keys[0], bit) != bit_of(keys[-1], bit))
    return bit, [key for key in keys if not bit_of(key, bit)], [key for key in keys if bit_of(key, bit)]


def map_root(pairs: dict[bytes, bytes]) -> bytes:
    def below(keys: list[bytes]) -> bytes:
        if len(keys) == 1:
            return map_leaf(keys[0], pairs[keys[0]])
        bit, zeros, ones = branch(keys)
        return sha(b"\1", uv(bit), below(zeros), below(ones))

    return below(sorted(pairs)) if pairs else sha()


def map_steps(pairs: dict[bytes, bytes], key: bytes) -> bytes:
    """(uv(bit) ‖ sibling)* from the leaf of `key` up."""

    def below(keys: list[bytes]) -> bytes:
        if len(keys) == 1:
            return b""
        bit, zeros, ones = branch(keys)
        mine, other = (ones, zeros) if bit_of(key, bit) else (zeros, ones)
        return below(mine) + uv(bit) + map_root({one: pairs[one] for one in other})

    return below(sorted(pairs))


def map_absence(pairs: dict[bytes, bytes], key: bytes) -> bytes:
    """The leaf that the walk of an absent key ends at, and its steps."""
    keys = sorted(pairs)
    while len(keys) > 1:
        bit, zeros, ones = branch(keys)
        keys = ones if bit_of(key, bit) else zeros
    if not keys:
        return b""
    [other] = keys
    value = pairs[other]
    return uv(len(other)) + other + uv(len(value)) + value + map_steps(pairs, other)


# --- packs ----------------------------------------------------------------------------------------------------


def pack_leaf(pack_id: bytes, salt: bytes, name: bytes, value: bytes) -> bytes:
    tag = sha(b"consent-ledger/v1/pack-leaf\0")
    return sha(b"\0", tag, pack_id, salt, len(name).to_bytes(4), name, len(value).to_bytes(8), value)


def pack_rows(leaves: list[bytes]) -> list[list[bytes]]:
    rows = [leaves]
    while len(rows[-1]) > 1:
        row = rows[-1]
        above = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        rows.append(above + row[len(row) - len(row) % 2 :])
    return rows


def pack_path(leaves: list[bytes], position: int) -> list[Json]:
    path: list[Json] = []
    for row in pack_rows(leaves)[:-1]:
        if position % 2:
            path.append({"left": row[position - 1].hex()})
        elif position + 1 < len(row):
            path.append({"right": row[position + 1].hex()})
        position //= 2
    return path


def pack_commitment(leaves: list[bytes]) -> bytes:
    tag = sha(b"consent-ledger/v1/pack-root\0")
    return sha(b"\2", tag, len(leaves).to_bytes(8), pack_rows(leaves)[-1][0])


# --- gzip -----------------------------------------------------------------------------------------------------


def gzip_stored(content: bytes) -> bytes:
    """One gzip member of stored blocks: the same bytes whatever the compressor."""
    out, blocks = bytes.fromhex("1f8b0800000000000003"), range(0, max(len(content), 1), 65_535)
    for at in blocks:
        part = content[at : at + 65_535]
        size = len(part).to_bytes(2, "little")
        out += bytes([at + 65_535 >= len(content)]) + size + bytes(byte ^ 255 for byte in size) + part
    return out + zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
