"""Reads the export of a QLDB journal, and holds every hash in it against what it is the hash of.

A block names the one before it by its hash; its own is made of that and of the hashes of its entries, among them the root over
its revisions; a revision's is made of its metadata and its data. Two hashes are joined in the order of their bytes, read as
signed numbers from the last to the first.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from api.histories.ion.binary import MARKER, values_of_binary
from api.histories.ion.hashing import ion_hash
from api.histories.ion.text import values_of_text
from api.histories.ion.values import BadIon, Ion, IonTime
from api.histories.mapping import MappedTable, ReadMapping, customer_in, members_of
from api.histories.rows import BroughtRow, RefusedRow, SourceFile, brought, hash_of
from ledger.canonical import b64u
from ledger.errors import InvalidInput

FILE_LIMIT: Final = 256 * 1024 * 1024
"""Bytes of one file of an export."""
BLOCK_REVISIONS: Final = 100_000
_HASH: Final = 32


class JournalRevision(NamedTuple):
    """A document as one transaction left it. `data` is None for one that was redacted or deleted; `document` is empty for the
    system's own, of which the journal shows a hash alone."""

    hash: bytes
    document: str
    version: int
    data: Ion | None
    is_redacted: bool


class JournalBlock(NamedTuple):
    """A block whose hashes are right."""

    sequence: int
    strand: str
    hash: bytes
    previous: bytes
    time: int
    """Seconds."""
    revisions: tuple[JournalRevision, ...]
    tables: dict[str, str]
    """Table by document."""


class _Waiting(NamedTuple):
    table: MappedTable
    members: dict[str, Any]
    where: str


class JournalSource:
    """The files of an export."""

    def __init__(self, files: list[SourceFile], mapping: ReadMapping) -> None:
        """`files`: its manifests among them. Raises InvalidInput when one names a file that is not there."""
        manifests = [file for file in files if file.name.endswith(".manifest")]
        self._files = [file for file in files if file not in manifests]
        _require_named(self._files, manifests)
        self._count = len(files)
        self._mapping = mapping
        self.hash = hash_of(files)
        self._first: JournalBlock | None = None
        self._last: JournalBlock | None = None
        self._revisions = self._redacted = 0

    def rows(self) -> Iterator[BroughtRow | RefusedRow]:
        """See BroughtSource. A redacted revision is told of once another one of its document has named the customer."""
        waiting: dict[str, list[_Waiting]] = {}
        for where, block in _blocks(self._files):
            self._follow(where, block)
            for revision in block.revisions:
                self._revisions += 1
                self._redacted += revision.is_redacted
                yield from self._rows_of(block, revision, where, waiting)
        for each in (one for several in waiting.values() for one in several):
            yield RefusedRow(each.where, "the revision was redacted, and no later one tells whose it was")

    def source(self) -> dict[str, Any]:
        """See BroughtSource."""
        if self._first is None or self._last is None:
            raise InvalidInput("the export holds no block")
        return {
            "checked": True,
            "files": self._count,
            "first_block": self._first.sequence,
            "hash": self.hash,
            "kind": "qldb",
            "last_block": self._last.sequence,
            "mapping_hash": self._mapping.hash,
            "redacted": self._redacted,
            "revisions": self._revisions,
            "strand": self._last.strand,
            "tip": b64u(self._last.hash),
        }

    def _follow(self, where: str, block: JournalBlock) -> None:
        before = self._last
        if before is not None:
            if block.strand != before.strand:
                raise InvalidInput(f"{where}: the block is of another strand than the one before it")
            if block.sequence != before.sequence + 1:
                raise InvalidInput(
                    f"{where}: block {block.sequence} follows block {before.sequence}: one is missing, or there twice"
                )
            if not hmac.compare_digest(block.previous, before.hash):
                raise InvalidInput(
                    f"{where}: block {block.sequence} names another block before it than the one that is there"
                )
        self._first = self._first or block
        self._last = block

    def _rows_of(
        self, block: JournalBlock, revision: JournalRevision, where: str, waiting: dict[str, list[_Waiting]]
    ) -> Iterator[BroughtRow | RefusedRow]:
        table = self._mapping.tables.get(block.tables.get(revision.document, ""))
        if table is None:
            return
        where = f"{where}, block {block.sequence}, document {revision.document}, version {revision.version}"
        place = {
            "block": block.sequence,
            "document": revision.document,
            "hash": b64u(revision.hash),
            "version": revision.version,
        }
        if revision.is_redacted:
            members = {"kind": "redacted", "place": place, "time": block.time}
            waiting.setdefault(revision.document, []).append(_Waiting(table, members, where))
        elif revision.data is None:
            yield RefusedRow(where, "the document was deleted by this revision: there is nothing to attest")
        else:
            yield from _told(table, revision, block.time, place, where, waiting)


def _told(
    table: MappedTable,
    revision: JournalRevision,
    time: int,
    place: dict[str, Any],
    where: str,
    waiting: dict[str, list[_Waiting]],
) -> Iterator[BroughtRow | RefusedRow]:
    document = revision.data
    if document is None:
        return
    try:
        customer = customer_in(table, document)
        members = members_of(table, document, time)
    except (ValueError, BadIon) as error:
        yield RefusedRow(where, str(error))
        return
    for each in waiting.pop(revision.document, []):
        yield brought(customer, each.members, each.where)
    if members is not None:
        yield brought(customer, members | {"place": place}, where)


def dot(one: bytes, other: bytes) -> bytes:
    """The hash of two, in their order; of one and nothing, the one."""
    if not one or not other:
        return one or other
    return sha256(one + other if _order(one) < _order(other) else other + one).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Of a row of hashes, pair by pair; the last of an odd row rises. Empty for none."""
    row = list(hashes)
    while len(row) > 1:
        row = [dot(*row[at : at + 2]) if at + 1 < len(row) else row[at] for at in range(0, len(row), 2)]
    return row[0] if row else b""


def _order(hash_: bytes) -> tuple[int, ...]:
    return tuple(byte - 256 if byte > 127 else byte for byte in reversed(hash_))


def _blocks(files: Sequence[SourceFile]) -> Iterator[tuple[str, JournalBlock]]:
    """All blocks, file by file in the order of their first ones, each with its file's name."""
    begun = []
    for file in files:
        first = next(_values(file), None)
        if first is None:
            raise InvalidInput(f"{file.name}: the file holds no block")
        begun.append((_address(first, file.name)[1], file))
    for _, file in sorted(begun, key=lambda pair: pair[0]):
        for value in _values(file):
            yield file.name, _block(value, file.name)


def _values(file: SourceFile) -> Iterator[Ion]:
    if file.path.stat().st_size > FILE_LIMIT:
        raise InvalidInput(f"{file.name}: more than {FILE_LIMIT} bytes in one file; an export has smaller ones")
    data = file.path.read_bytes()
    try:
        if data.startswith(MARKER[:1]):
            yield from values_of_binary(data)
        else:
            yield from values_of_text(data.decode())
    except UnicodeDecodeError:
        raise InvalidInput(f"{file.name}: neither binary Ion nor text in UTF-8") from None
    except BadIon as error:
        raise InvalidInput(f"{file.name}: {error.detail}") from None


def _block(value: Ion, where: str) -> JournalBlock:
    """A block, once all its hashes are right. Raises InvalidInput."""
    strand, sequence = _address(value, where)
    where = f"{where}, block {sequence}"
    wanted, previous = _blob(value, "blockHash", where), _blob(value, "previousBlockHash", where)
    listed = _list(value, "entriesHashList", where)
    hashes = [
        each.value
        for each in listed
        if each.kind == "blob" and each.value is not None and len(each.value) in (0, _HASH)
    ]
    if len(hashes) != len(listed):
        raise InvalidInput(f"{where}: entriesHashList holds something else than hashes")
    info = value.member("transactionInfo")
    if info is not None and info.value is not None and ion_hash(info) not in hashes:
        raise InvalidInput(f"{where}: the hash of transactionInfo is not among those of the block's entries")
    revisions = tuple(_revision(each, where) for each in _list(value, "revisions", where, may_lack=True))
    if revisions and root_of([each.hash for each in revisions]) not in hashes:
        raise InvalidInput(f"{where}: the root over the revisions is not among the hashes of the block's entries")
    entries = root_of(hashes)
    if entries != _blob(value, "entriesHash", where):
        raise InvalidInput(f"{where}: entriesHash is not the root over entriesHashList")
    if dot(entries, previous) != wanted:
        raise InvalidInput(f"{where}: blockHash is not made of entriesHash and previousBlockHash")
    stamp = value.member("blockTimestamp")
    if stamp is None or not isinstance(stamp.value, IonTime):
        raise InvalidInput(f"{where}: blockTimestamp is no timestamp")
    return JournalBlock(sequence, strand, wanted, previous, stamp.value.seconds(), revisions, _tables(info, where))


def _revision(value: Ion, where: str) -> JournalRevision:
    hash_ = _blob(value, "hash", where)
    metadata, data, redacted = value.member("metadata"), value.member("data"), value.member("dataHash")
    if metadata is None or metadata.value is None:
        if data is not None or redacted is not None:
            raise InvalidInput(f"{where}: a revision has data and no metadata")
        return JournalRevision(hash_, "", 0, None, is_redacted=False)  # the system's own
    document, version = metadata.member("id"), metadata.member("version")
    if document is None or document.kind != "string" or version is None or version.kind != "int" or version.value < 0:
        raise InvalidInput(f"{where}: the metadata of a revision names no document and version")
    if redacted is not None:
        if data is not None:
            raise InvalidInput(f"{where}: a revision has both data and the hash that stands for redacted data")
        inner: bytes | None = _blob(value, "dataHash", where)
    else:
        inner = None if data is None else ion_hash(data)
    # a revision that deletes its document has no data to hold its hash against; the root over the revisions holds it
    if inner is not None and dot(ion_hash(metadata), inner) != hash_:
        raise InvalidInput(f"{where}: the hash of a revision of {document.value} is not that of its metadata and data")
    return JournalRevision(hash_, document.value, version.value, data, is_redacted=redacted is not None)


def _tables(info: Ion | None, where: str) -> dict[str, str]:
    documents = None if info is None else info.member("documents")
    found = {}
    for document, said in () if documents is None or documents.value is None else documents.value:
        name = said.member("tableName")
        if name is not None and name.kind == "string":
            found[document] = name.value
    if len(found) > BLOCK_REVISIONS:
        raise InvalidInput(f"{where}: more than {BLOCK_REVISIONS} documents in one block")
    return found


def _address(value: Ion, where: str) -> tuple[str, int]:
    address = value.member("blockAddress")
    strand = None if address is None else address.member("strandId")
    sequence = None if address is None else address.member("sequenceNo")
    if strand is None or sequence is None or strand.kind != "string" or sequence.kind != "int" or sequence.value < 0:
        raise InvalidInput(f"{where}: what stands there is no block of a journal: it has no blockAddress")
    return strand.value, sequence.value


def _blob(value: Ion, name: str, where: str) -> bytes:
    found = value.member(name)
    if found is None or found.kind != "blob" or found.value is None or len(found.value) not in (0, _HASH):
        raise InvalidInput(f"{where}: {name} is no hash")
    blob: bytes = found.value
    return blob


def _list(value: Ion, name: str, where: str, *, may_lack: bool = False) -> list[Ion]:
    found = value.member(name)
    if (found is None or found.value is None) and may_lack:
        return []
    if found is None or found.kind != "list" or found.value is None:
        raise InvalidInput(f"{where}: {name} is no list")
    values: list[Ion] = found.value
    return values


def _require_named(files: Sequence[SourceFile], manifests: Sequence[SourceFile]) -> None:
    """Everything that a manifest of the export names is there."""
    there = {file.path.name for file in files}
    for manifest in manifests:
        for said in _values(manifest):
            keys = said.member("keys")
            for key in () if keys is None or keys.value is None else keys.value:
                if key.kind == "string" and key.value.rpartition("/")[2] not in there:
                    raise InvalidInput(
                        f"{manifest.name} names {key.value.rpartition('/')[2][:120]}, which is not among the files: bring the "
                        "whole export"
                    )
