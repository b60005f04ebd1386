"""What the verifier's tests need to make evidence: signers, logs on disk, proofs. The verifier itself signs nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.verifier.trees import root_of
from verifier.bytes.encoding import encode_base64
from verifier.bytes.growing_tree import Growth, Tile
from verifier.bytes.merkle import hash_leaf
from verifier.crypto.backend import select
from verifier.errors import CannotCheck, Code, Refuted
from verifier.tlog.checkpoint import Checkpoint
from verifier.tlog.note import NoteKey, parse_vkey
from verifier.tlog.tiles import tile_path

BACKEND = select()
TIME = 1_767_225_600


@contextmanager
def refusal(*codes: Code) -> Iterator[None]:
    """The block must be refuted, with one of these codes if any are given."""
    with pytest.raises(Refuted) as caught:
        yield
    assert not codes or caught.value.defect.code in codes, caught.value.defect
    assert "\n" not in str(caught.value.defect)


def accepts(check: Callable[..., object], *arguments: Any) -> bool:
    """Whether a check accepts these arguments; anything but its two ways of refusing is a failure."""
    try:
        check(*arguments)
    except (Refuted, CannotCheck):
        return False
    return True


class Signer:
    """An Ed25519 note key from a seed, by default its name: kind 1 for logs, 4 for witnesses."""

    def __init__(self, name: str, kind: int = 1, seed: bytes | None = None) -> None:
        self.name, self.kind = name, kind
        self.private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed or name.encode()).digest())
        data = bytes([kind]) + self.private.public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        self.vkey = f"{name}+{self.key_id.hex()}+{encode_base64(data)}"

    @property
    def key(self) -> NoteKey:
        return parse_vkey(self.vkey)

    def line(self, text: bytes, time: int = TIME) -> bytes:
        """The signature line over a note's text."""
        if self.kind == 4:
            blob = time.to_bytes(8) + self.private.sign(b"cosignature/v1\ntime %d\n" % time + text)
        else:
            blob = self.private.sign(text)
        return f"— {self.name} {encode_base64(self.key_id + blob)}\n".encode()


def checkpoint_note(log: Signer, leaves: Sequence[bytes], *witnesses: Signer, origin: str | None = None) -> bytes:
    """A signed checkpoint of the tree over these leaf hashes."""
    text = Checkpoint(origin or log.name, len(leaves), root_of(leaves)).body()
    return text + b"\n" + b"".join(signer.line(text) for signer in (log, *witnesses))


def entries_of(count: int, history: str = "a") -> list[bytes]:
    return [f"{history}-{number}".encode() for number in range(count)]


def write_log(root: Path, log: Signer, entries: Sequence[bytes], *witnesses: Signer) -> None:
    """A whole C2SP log on disk."""
    growth = Growth()
    tiles: list[Tile] = []
    for entry in entries:
        tiles += growth.append(hash_leaf(entry))
    tiles += growth.partial_tiles()
    for tile in tiles:
        put(root, tile_path(tile.level, tile.n, len(tile.hashes)), b"".join(tile.hashes))
        if tile.level == 0:
            bundle = entries[tile.n * 256 : tile.n * 256 + len(tile.hashes)]
            data = b"".join(len(entry).to_bytes(2) + entry for entry in bundle)
            put(root, tile_path("entries", tile.n, len(tile.hashes)), data)
    put(root, "checkpoint", checkpoint_note(log, [hash_leaf(entry) for entry in entries], *witnesses))


def put(root: Path, path: str, data: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data)


def without_seed(old: int, path: list[bytes]) -> list[bytes]:
    """The RFC 6962 consistency proof from a path with its seed."""
    return path[1:] if old & (old - 1) == 0 else path
