"""Vectors of what a bundle comes in: zips that hold, and zips that are read in two ways (bundles.md, «Containers»).

The zips are written down byte by byte, deflated by blocks that are stored or of one repeated byte: they are the same whatever
the compressor.
"""

from __future__ import annotations

import stat
import zlib
from dataclasses import dataclass

from tests.vectors.hashing import Json, b64
from tests.vectors.log import Files
from tests.vectors.story import ruleset_1

FILE = stat.S_IFREG | 0o644
STORED, DEFLATED, BZIP2 = 0, 8, 12
SIZE = 12
"""Entries of the log inside."""
TILE = f"tile/0/000.p/{SIZE}"


@dataclass(frozen=True)
class Member:
    """One member; `raw` are its bytes as they lie in the zip if it is not stored, `checksum` and `flags` the directory's."""

    name: str
    content: bytes
    method: int = STORED
    raw: bytes | None = None
    mode: int = FILE
    flags: int = 0
    checksum: int | None = None


def deflated(content: bytes) -> bytes:
    """RFC 1951, stored blocks."""
    out = b""
    for at in range(0, max(len(content), 1), 65_535):
        part = content[at : at + 65_535]
        size = len(part).to_bytes(2, "little")
        out += bytes([at + 65_535 >= len(content)]) + size + bytes(byte ^ 255 for byte in size) + part
    return out


def zeros(matches: int) -> tuple[bytes, bytes]:
    """1 + 258 · `matches` zero bytes and one deflate block of fixed codes that gives them: a literal, then repetitions."""
    bits = "1" + "10" + "00110000" + ("11000101" + "00000") * matches + "0000000"
    bits += "0" * (-len(bits) % 8)
    raw = bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
    return bytes(1 + 258 * matches), raw


def zipped(members: list[Member], before: bytes = b"") -> bytes:
    """APPNOTE 4.3: local headers and contents, the directory, its end."""
    body, directory = before, b""
    for one in members:
        raw = one.content if one.raw is None else one.raw
        name = one.name.encode()
        checksum = zlib.crc32(one.content) if one.checksum is None else one.checksum
        fields = one.flags.to_bytes(2, "little") + one.method.to_bytes(2, "little") + bytes.fromhex("00002100")
        fields += checksum.to_bytes(4, "little") + len(raw).to_bytes(4, "little")
        fields += len(one.content).to_bytes(4, "little") + len(name).to_bytes(2, "little") + bytes(2)
        directory += b"PK\1\2" + bytes.fromhex("14031400") + fields + bytes(6)
        directory += (one.mode << 16).to_bytes(4, "little") + len(body).to_bytes(4, "little") + name
        body += b"PK\3\4" + bytes.fromhex("1400") + fields + name + raw
    count = len(members).to_bytes(2, "little")
    end = bytes(4) + count + count + len(directory).to_bytes(4, "little") + len(body).to_bytes(4, "little") + bytes(2)
    return body + directory + b"PK\5\6" + end


def containers() -> Json:
    files: Files = ruleset_1(SIZE).files()
    whole = [Member(name, content) for name, content in files.items()]
    rows: list[Json] = []

    def add(name: str, members: list[Member], exit: int = 0, *told: str, **more: bytes) -> None:
        defects = [{"code": "BAD_ENCODING", "file": place} for place in told]
        rows.append({"defects": defects, "exit": exit, "name": name, "zip": b64(zipped(members, **more))})

    def instead(name: str, **changes: object) -> list[Member]:
        return [Member(**{**vars(one), **changes}) if one.name == name else one for one in whole]  # type: ignore[arg-type]

    add("stored", whole)
    add("in another order", whole[::-1])
    add("deflated", [Member(one.name, one.content, DEFLATED, deflated(one.content)) for one in whole])
    folders = [
        Member(name, b"", mode=stat.S_IFDIR | 0o755) for name in ("evidence/", "tile/", "tile/0/", "tile/entries/")
    ]
    add("with its folders", [*folders, *whole])
    add("without Unix modes", [Member(one.name, one.content, mode=0) for one in whole])
    add("a member twice", [*whole, Member("policy", files["policy"])], 1, "policy")
    for name in ("/etc/passwd", "../checkpoint", "tile/../checkpoint", "./policy", "C:\\policy"):
        add(f"a member that is called {name}", [*whole, Member(name, b"x")], 1, name)
    add("a folder with content", [Member("tile/", b"content"), *whole], 1, "tile/")
    add("a link", instead("policy", mode=stat.S_IFLNK | 0o777), 1, "policy")
    add("a device", instead(TILE, mode=stat.S_IFCHR | 0o644), 1, TILE)
    add("bytes before the first member", whole, 1, "", before=b"#!/bin/sh\n")
    add("another checksum of a tile", instead(TILE, checksum=1), 1, TILE)
    bomb = zeros(8_000)
    add(
        "a manifest of two million zeros",
        instead("manifest.json", content=bomb[0], method=DEFLATED, raw=bomb[1]),
        1,
        "manifest.json",
    )
    add("a tile of two million zeros", instead(TILE, content=bomb[0], method=DEFLATED, raw=bomb[1]), 1, TILE)
    add("an encrypted member", instead(TILE, flags=1), 2)
    add("a member that is neither stored nor deflated", instead(TILE, method=BZIP2), 2)
    rows.append({"defects": [], "exit": 2, "name": "no end", "zip": b64(zipped(whole)[:-30])})
    return {
        "about": "Zips of the first entries of ruleset-1: exit status and all defects; where `file` is empty, it is the zip itself",
        "cases": rows,
        "policy": "policy",
    }


FILES = {"containers": containers}
