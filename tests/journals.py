"""Makes exports as QLDB wrote them, in both encodings of Ion, by the published rules alone: nothing here is the reader's."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Document = dict[str, Any]
STRAND = "JdxjkR9bSYB5jMHWcI464T"
BEGAN = datetime(2019, 9, 23, 19, 14, 43, 45_000, tzinfo=UTC)
SYSTEM = 9
"""Symbols that every stream has."""


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def var_uint(number: int) -> bytes:
    groups = [number & 0x7F | 0x80]
    while number := number >> 7:
        groups.insert(0, number & 0x7F)
    return bytes(groups)


def stamp_bytes(at: datetime) -> bytes:
    """In UTC, to the millisecond."""
    parts = (at.year, at.month, at.day, at.hour, at.minute, at.second)
    milliseconds = at.microsecond // 1000
    coefficient = milliseconds.to_bytes(milliseconds.bit_length() // 8 + 1, "big") if milliseconds else b""
    return b"\x80" + b"".join(map(var_uint, parts)) + b"\xc3" + coefficient


def scalar(value: Any) -> tuple[int, bytes]:
    """(type, representation)."""
    match value:
        case bool():
            return 0x1, bytes([value])
        case int():
            return 0x2, value.to_bytes((value.bit_length() + 7) // 8, "big")
        case datetime():
            return 0x6, stamp_bytes(value)
        case str():
            return 0x8, value.encode()
        case _:
            return 0xA, bytes(value)


def written(value: Any, symbols: dict[str, int]) -> bytes:
    """Binary Ion."""
    if isinstance(value, bool):
        return bytes([0x10 | value])
    if isinstance(value, dict):
        code = 0xD
        content = b"".join(
            var_uint(symbols.setdefault(name, SYSTEM + 1 + len(symbols))) + written(each, symbols)
            for name, each in value.items()
        )
    elif isinstance(value, list):
        code, content = 0xB, b"".join(written(each, symbols) for each in value)
    else:
        code, content = scalar(value)
    length = len(content)
    if length < 14 and not (code == 0xD and length == 1):
        return bytes([code << 4 | length]) + content
    return bytes([code << 4 | 14]) + var_uint(length) + content


def binary(values: Sequence[Any]) -> bytes:
    symbols: dict[str, int] = {}
    body = b"".join(written(each, symbols) for each in values)
    names = b"".join(written(name, {}) for name in symbols)
    listed = b"\x87" + b"\xbe" + var_uint(len(names)) + names  # symbols: […]
    table = b"\xde" + var_uint(len(listed)) + listed
    inner = b"\x81\x83" + table
    return b"\xe0\x01\x00\xea" + b"\xee" + var_uint(len(inner)) + inner + body


def text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
        case list():
            return "[" + ",".join(map(text, value)) + "]"
        case dict():
            return "{" + ",".join(f"'{name}': {text(each)}" for name, each in value.items()) + "}"
        case _:
            return "{{" + base64.b64encode(value).decode() + "}}"


def serialised(value: Any) -> bytes:
    if isinstance(value, dict):
        fields = sorted(sha(marked(0x70, name.encode()), serialised(each)) for name, each in value.items())
        return marked(0xD0, b"".join(fields))
    if isinstance(value, list):
        return b"\x0b\xb0" + b"".join(map(serialised, value)) + b"\x0e"
    code, content = scalar(value)
    return marked(0x10 | value, b"") if code == 0x1 else marked(code << 4, content)


def marked(qualifier: int, content: bytes) -> bytes:
    escaped = b"".join(b"\x0c" + bytes([each]) if each in b"\x0b\x0c\x0e" else bytes([each]) for each in content)
    return b"\x0b" + bytes([qualifier]) + escaped + b"\x0e"


def ion_digest(value: Any) -> bytes:
    return sha(serialised(value))


def joined(one: bytes, other: bytes) -> bytes:
    """QLDB's dot: sorted as signed bytes from the end."""
    pair = sorted((one, other), key=lambda hash_: [int.from_bytes([each], signed=True) for each in hash_[::-1]])
    return sha(*pair)


def rising(hashes: Sequence[bytes]) -> bytes:
    row = list(hashes)
    while len(row) > 1:
        pairs = [row[at : at + 2] for at in range(0, len(row), 2)]
        row = [joined(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return row[0]


@dataclass
class Journal:
    """Blocks of a journal. Each is a struct, as the export has it."""

    blocks: list[Document] = field(default_factory=list)
    tip: bytes = bytes(32)

    def commit(self, *changes: tuple[str, str, int, Any]) -> Document:
        """One transaction: (table, document, version, data); `data` None: redacted since."""
        sequence = len(self.blocks)
        at = BEGAN + timedelta(hours=sequence)
        address = {"strandId": STRAND, "sequenceNo": sequence}
        revisions: list[Document] = [{"hash": sha(b"a system revision", bytes([sequence % 256]))}]
        for _, document, version, data in changes:
            metadata = {"id": document, "version": version, "txTime": at, "txId": f"tx{sequence}"}
            inner = sha(b"what was there") if data is None else ion_digest(data)
            shown = {"dataHash": inner} if data is None else {"data": data}
            hash_ = joined(ion_digest(metadata), inner)
            revisions.append({"blockAddress": address, "hash": hash_, **shown, "metadata": metadata})
        documents = {
            document: {"tableName": table, "tableId": f"{table}-id", "statements": [0]}
            for table, document, *_ in changes
        }
        info = {
            "statements": [{"statement": "UPDATE …", "startTime": at, "statementDigest": sha(b"s")}],
            "documents": documents,
        }
        hashes = [ion_digest(info), rising([each["hash"] for each in revisions]), sha(b"something of the system's")]
        entries = rising(hashes)
        block = {
            "blockAddress": address,
            "transactionId": f"tx{sequence}",
            "blockTimestamp": at,
            "blockHash": joined(entries, self.tip),
            "entriesHash": entries,
            "previousBlockHash": self.tip,
            "entriesHashList": hashes,
            "transactionInfo": info,
            "revisions": revisions,
        }
        self.tip = block["blockHash"]
        self.blocks.append(block)
        return block

    def export(self, folder: Path, *, is_binary: bool, each: int = 2) -> Path:
        """The files of an export, some blocks in each, and its manifest."""
        below = folder / "2025" / "07" / "30" / "22"
        below.mkdir(parents=True)
        names = []
        for first in range(0, len(self.blocks), each):
            some = self.blocks[first : first + each]
            names.append(f"{STRAND}.{first}-{first + len(some) - 1}.ion")
            data = binary(some) if is_binary else "\n".join(map(text, some)).encode()
            (below / names[-1]).write_bytes(data)
        keys = [f"journal/2025/07/30/22/{name}" for name in names]
        (folder / "export.completed.manifest").write_text(text({"keys": keys}))
        return folder
