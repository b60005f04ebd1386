"""Bundles: all that an auditor needs to check the log elsewhere (docs/spec/bundles.md). Written in one pass; memory is
bounded by the rows of one query, however long the log and however large a file."""

from __future__ import annotations

import logging
import os
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

import msgspec
from msgspec import UNSET

from ledger.canonical import b64u, encode
from ledger.clock import SystemClock
from ledger.entries.acts import ConsentAmend, ConsentRequest
from ledger.entries.evidence import decode_evidence
from ledger.entries.statement import payload_of
from ledger.errors import Conflict, Corrupt, InvalidInput, Unavailable
from ledger.merkle.tiles import ENTRIES, TILE_WIDTH, TilePath, format_path, tile_widths
from ledger.notes.checkpoint import Vkeys, keys_of
from ledger.notes.keys import VerifierKey
from ledger.queries.scoring import Models, activated_models
from ledger.queries.tree import Snapshot, TileSource, bundle_of, first_checkpoint_with, head_of, sealed_rows
from ledger.storage.log import LogStore
from ledger.storage.operator import erased_on_record
from ledger.storage.rows import open_evidence
from ledger.vault.cipher import Cipher
from ledger.vault.keystore import KeyStore

log = logging.getLogger("ledger.bundle")

INDEXES_A_FILE: Final = 65_536
"""Entries whose evidence shares one file."""
_ROWS: Final = 2_048
_REQUESTS: Final = 256
"""Request texts in memory at a time, each of at most 64 KiB."""

Requests = Callable[
    [Snapshot, Mapping[bytes, Collection[str]], Mapping[bytes, Cipher]], Iterable[tuple[bytes, str, bytes]]
]
"""Given the `details_hash`es that are wanted by chain, and the chains' ciphers: chain, hash and text of each request that is
still there (docs/spec/requests.md)."""
_ASKING: Final = (b'{"act":"consent.amend"', b'{"act":"consent.request"')
Progress = Callable[[int, int], None]
"""Takes entries done and entries in all."""


class Target(Protocol):
    """Where a bundle is written to."""

    def write(self, path: str, content: bytes) -> None:
        """Write one file. Paths are relative, with forward slashes."""

    def write_parts(self, path: str, parts: Iterable[bytes]) -> None:
        """Write one file, as its parts come: what is written need not be in memory at once."""

    def close(self) -> None:
        """Finish the bundle."""


def create_private(path: Path) -> BinaryIO:
    """A new file, to write, that only its owner can read: bundles hold bodies in clear. Raises FileExistsError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


class DirectoryTarget:
    """A new directory, its owner's only."""

    def __init__(self, root: Path) -> None:
        """Raises Conflict when the directory exists and is not empty."""
        if root.exists() and any(root.iterdir()):
            raise Conflict(f"{root} exists and is not empty; a bundle is written to a new place")
        self._root = root

    def write(self, path: str, content: bytes) -> None:
        self.write_parts(path, [content])

    def write_parts(self, path: str, parts: Iterable[bytes]) -> None:
        place = self._root / path
        for folder in reversed(place.parents):
            if folder.is_relative_to(self._root):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with create_private(place) as file:
            file.writelines(parts)

    def close(self) -> None:
        """Nothing to finish."""


class ZipTarget:
    """A zip file or stream. Times are fixed, so the same log gives the same bytes (but for `created`)."""

    def __init__(self, stream: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(stream, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=6)

    def write(self, path: str, content: bytes) -> None:
        self.write_parts(path, [content])

    def write_parts(self, path: str, parts: Iterable[bytes]) -> None:
        info = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
        info.external_attr = 0o600 << 16
        stored = path.endswith(".gz") or (path.startswith("tile/") and not path.startswith("tile/entries/"))
        info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        with self._zip.open(info, "w") as file:
            for part in parts:
                file.write(part)

    def close(self) -> None:
        self._zip.close()


@dataclass(frozen=True, slots=True)
class Disclose:
    """Which evidence a bundle opens: all of it, none, or what `select` says by index and chain."""

    level: str
    select: Callable[[int, bytes], bool]
    first: int = 0
    last: int | None = None
    """The range that is opened at most, both included; None: to the end."""

    @classmethod
    def full(cls) -> Disclose:
        """All evidence whose data keys exist."""
        return cls("full", lambda _index, _chain: True)

    @classmethod
    def none(cls) -> Disclose:
        """No evidence: leaves, tiles and checkpoint only."""
        return cls("none", lambda _index, _chain: False)

    @classmethod
    def between(cls, first: int, last: int) -> Disclose:
        """Evidence of the entries `first` … `last`, both included."""
        return cls("partial", lambda index, _chain: first <= index <= last, first, last)


def _policy(vkeys: Sequence[VerifierKey]) -> bytes:
    return "".join(f"log {vkey.format()}\n" for vkey in vkeys).encode() + b"quorum none\n"


def export_bundle(
    store: LogStore,
    keystore: KeyStore,
    vkeys: Vkeys,
    target: Target,
    *,
    disclose: Disclose,
    policy: bytes | None = None,
    size: int | None = None,
    head: tuple[int, str] | None = None,
    created: int | None = None,
    progress: Progress | None = None,
    models: Models = lambda _: None,
    requests: Requests | None = None,
) -> int:
    """Write a bundle of the log as of a committed `size` (default: the newest); how many entries it has.

    `head` is a size with its checkpoint note, when it is to be one with cosignatures.
    `policy` is the tlog-policy to enclose, by default the log's `vkeys` without witnesses. `models` gives the bytes of the
    models that the log names; without them an auditor counts the alerts of a model as not checked. `requests` gives the texts
    of requests in the words of outward standards, which may name people; without it none is written. Raises InvalidInput for
    a size that the log never signed.
    """
    with store.read() as connection:
        newest, _ = head_of(connection)
        if size is None:
            size = newest if head is None else head[0]
        if not 1 <= size <= newest:
            raise InvalidInput(f"size must lie between 1 and the log's {newest}", member="size")
        signed, note = first_checkpoint_with(connection, size - 1)
        if signed != size:
            raise InvalidInput(f"no checkpoint of size {size} was signed; the next one has {signed}", member="size")
        if head is not None and head[0] == size:
            note = head[1]
        manifest = {
            "created": SystemClock().now() if created is None else created,
            "evidence": disclose.level,
            "format": "consent-ledger-bundle/1",
            "origin": keys_of(vkeys)[0].name,
            "size": size,
            "v": 1,
        }
        target.write("manifest.json", encode(manifest))
        target.write("checkpoint", note.encode())
        target.write("policy", policy or _policy(keys_of(vkeys)))
        for path, content in _tree_files(connection, size):
            target.write(path, content)
        for path, content in _model_files(connection, size, models):
            target.write(path, content)
        if disclose.level != "none":
            for path, parts in _evidence_files(connection, keystore, size, disclose, progress, requests):
                target.write_parts(path, parts)
    target.close()
    return size


def _tree_files(connection: Snapshot, size: int) -> Iterator[tuple[str, bytes]]:
    source = TileSource(connection)
    for level, full, partial in tile_widths(size):
        for number in range(full + bool(partial)):
            width = TILE_WIDTH if number < full else partial
            yield format_path(TilePath(level, number, width)), source.tile(level, number, width)
    for first in range(0, size, TILE_WIDTH):
        width = min(TILE_WIDTH, size - first)
        path = format_path(TilePath(ENTRIES, first // TILE_WIDTH, width))
        yield path, bundle_of(connection, first, width)


def _model_files(connection: Snapshot, size: int, models: Models) -> Iterator[tuple[str, bytes]]:
    for hashed in sorted({str(document["hash"]) for _, document in activated_models(connection, size)}):
        try:
            content = models(hashed)
        except Unavailable as error:
            log.warning("%s; the bundle is written without this model", error.detail)
            continue
        if content is not None:
            yield f"models/{hashed}.json", content


def _evidence_files(
    connection: Snapshot,
    keystore: KeyStore,
    size: int,
    disclose: Disclose,
    progress: Progress | None,
    requests: Requests | None,
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each file with its parts, which are to be taken before the next file is asked for. What is on record as erased is closed
    from then on, also in the moment before its key is destroyed."""
    erased = erased_on_record(connection)
    for number in range((size + INDEXES_A_FILE - 1) // INDEXES_A_FILE):
        entries = range(number * INDEXES_A_FILE, min(size, (number + 1) * INDEXES_A_FILE))
        asked: list[_Asked] | None = None if requests is None else []
        lines = _lines(connection, keystore, erased, entries, disclose, asked)
        if progress is not None:
            lines = _told(lines, entries, size, progress)
        lines = filter(None, lines)
        if first := next(lines, b""):  # a file without a line is not written
            name = format_path(TilePath(0, number)).removeprefix("tile/0/")
            yield f"evidence/{name}.jsonl.gz", _gzipped(chain([first], lines))
            if requests is not None and asked:
                texts = _request_lines(connection, keystore, erased, asked, requests)
                if first := next(texts, b""):
                    yield f"requests/{name}.jsonl.gz", _gzipped(chain([first], texts))


class _Asked(NamedTuple):
    """An entry that names a request's text."""

    entry: int
    chain: bytes
    digest: str


def _request_lines(
    connection: Snapshot, keystore: KeyStore, erased: Collection[bytes], asked: Sequence[_Asked], requests: Requests
) -> Iterator[bytes]:
    """The lines of the requests that are still there, in order of their entries."""
    for first in range(0, len(asked), _REQUESTS):
        these = asked[first : first + _REQUESTS]
        wanted: dict[bytes, set[str]] = {}
        for one in these:
            wanted.setdefault(one.chain, set()).add(one.digest)
        ciphers = keystore.existing(wanted.keys() - erased, remember=False)
        found = {(of, digest): text for of, digest, text in requests(connection, wanted, ciphers)}
        for entry, of, digest in these:
            if (of, digest) in found:
                yield encode({"index": entry, "request": b64u(found[of, digest])}) + b"\n"


def _asked_in(evidence: bytes) -> str | None:
    """The `details_hash` of an entry that asks for a consent in the words of a standard."""
    if not evidence.startswith(_ASKING):
        return None
    says = payload_of(decode_evidence(evidence).statements[0])
    digest = says.terms.details_hash if isinstance(says, ConsentRequest | ConsentAmend) else UNSET
    return digest if isinstance(digest, str) else None


def _lines(
    connection: Snapshot,
    keystore: KeyStore,
    erased: Collection[bytes],
    entries: range,
    disclose: Disclose,
    asked: list[_Asked] | None,
) -> Iterator[bytes]:
    """The lines of these entries, those of one query together. `asked` is told of those that name a request's text."""
    for first in entries[::_ROWS]:
        rows = sealed_rows(connection, first, min(entries.stop, first + _ROWS))
        wanted = [row for row in rows if row.chain not in erased and disclose.select(row.idx, row.chain)]
        ciphers = keystore.existing((row.chain for row in wanted), remember=False)
        yield b"".join(_readable_line(row, ciphers[row.chain], asked) for row in wanted if row.chain in ciphers)


def _told(lines: Iterator[bytes], entries: range, size: int, progress: Progress) -> Iterator[bytes]:
    for first, part in zip(entries[::_ROWS], lines, strict=True):
        progress(min(size, first + _ROWS), size)
        yield part


def _gzipped(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of `gzip.compress(…, 6, mtime=0)`, so that the same log gives the same file."""
    packing = zlib.compressobj(6, zlib.DEFLATED, 31)
    yield from map(packing.compress, parts)
    yield packing.flush()


def _readable_line(row: Any, cipher: Cipher, asked: list[_Asked] | None) -> bytes:
    """An entry's line; none when its body was changed in storage: the auditor gets the rest, and is told what is missing."""
    try:
        evidence, opening = open_evidence(row.idx, row.sealed, cipher)
    except Corrupt as error:
        log.warning("entry %d: %s; the bundle is written without its body", row.idx, error.detail)
        return b""
    if asked is not None and (digest := _asked_in(evidence)) is not None:
        asked.append(_Asked(row.idx, row.chain, digest))
    return _line(row.idx, evidence, opening)


def _line(index: int, evidence: bytes, opening: bytes) -> bytes:
    return msgspec.json.encode({"evidence": evidence.decode(), "index": index, "opening": b64u(opening)}) + b"\n"
