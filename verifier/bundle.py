"""The audit of a bundle in one streaming pass (docs/spec/bundles.md).

Per group of entry bundles: links and tiles are checked here, evidence lines go to the workers, and when their results
come back, in order, the rules are replayed. Memory holds the groups under way and the busy chains, not the log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from verifier.archive import Archive, Unreadable, gzip_lines
from verifier.crypto.backend import select
from verifier.disclosure import MAX_LINE, Found, line_index
from verifier.encoding import Object, check_members, decode_canonical, get_integer, get_text
from verifier.errors import CannotCheck, Code, Defect, NotFound, Place, Refuted, printable, refuted
from verifier.findings import Findings
from verifier.growth import WIDTH, Growth, Tile
from verifier.leaf import Leaf
from verifier.links import Links
from verifier.merkle import HASH
from verifier.note import MAX_NOTE
from verifier.policy import MAX_POLICY, PolicyHead
from verifier.replay import Replay
from verifier.shelf import Shelf
from verifier.tiles import MAX_BUNDLE, parse_tile_path, split_entries, split_hashes, tile_path
from verifier.trust import Trust
from verifier.workers import Row, Workers, calm

FORMAT = "consent-ledger-bundle/1"
LEVELS = ("full", "partial", "none")
SHARD = 65_536
GROUP = 4
_SHARD_PATH = re.compile(r"evidence/((?:x[0-9]{3}/)*[0-9]{3})\.jsonl\.gz", re.ASCII)

Progress = Callable[[int, int], None]
"""Takes entries done and entries in all."""
Watch = Callable[[int, Leaf, Found | None], None]
"""Is shown every readable entry after it was judged."""


@dataclass(slots=True)
class Options:
    """`jobs` worker processes; `signatures` and `evidence` False leave those checks out, and the audit says so.
    `backend`: see crypto.backend.select."""

    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    signatures: bool = True
    evidence: bool = True
    backend: str = "auto"
    progress: Progress | None = None
    watch: Watch | None = None


@dataclass(slots=True)
class Audit:
    """The result: the verified head, if there is one, and what was found."""

    origin: str
    size: int
    level: str
    created: int
    head: PolicyHead | None
    findings: Findings
    backend: str
    start: int = 0

    @property
    def verdict(self) -> Code:
        """One code for the whole bundle."""
        return self.findings.verdict(self.head is not None and self.head.witnessed)


class Auditor:
    """One run over one bundle."""

    def __init__(self, archive: Archive, trust: Trust, options: Options) -> None:
        self.archive, self.trust, self.options = archive, trust, options
        self.findings = Findings()
        self.shelf = Shelf()
        self.links = Links(self.findings, self.shelf)
        self.growth = Growth()
        self.start = 0
        self._level_0: list[bytes] | None = None
        self._tainted: set[tuple[int, int]] = set()
        self.origin, self.size, self.level, self.created = "", 0, "none", 0
        self.head: PolicyHead | None = None
        self._expected = 0
        self._read_top()
        self.replay = Replay(
            self.origin, self.findings, self.shelf, self.level == "full", trust, select(options.backend)
        )

    # --- manifest, checkpoint, policy -----------------------------------------------------------------------

    def _read_top(self) -> None:
        manifest = self._read_manifest()
        self.origin, self.size = get_text(manifest, "origin", 255), get_integer(manifest, "size")
        self.level, self.created = get_text(manifest, "evidence", 16), get_integer(manifest, "created")
        try:
            note = self.archive.read("checkpoint", MAX_NOTE)
            head = self.trust.verify(note, select(self.options.backend))
        except Refuted as refusal:
            self.findings.refuse(refusal, file="checkpoint")
        except NotFound:
            self._file(Code.BAD_PROOF, "the checkpoint is missing", "checkpoint", "a signed checkpoint", "none")
        except Unreadable as error:
            self._file(Code.BAD_ENCODING, str(error), "checkpoint", "", "")
        else:
            self.head = head
            checkpoint = head.head.checkpoint
            self.findings.checked["checkpoint signatures"] += len(head.head.log) + len(head.head.cosignatures)
            if checkpoint.origin != self.origin:
                self._file(
                    Code.BAD_SIGNATURE,
                    "the checkpoint is of another log than the manifest",
                    "manifest.json",
                    checkpoint.origin,
                    self.origin,
                    "origin",
                )
                self.origin = checkpoint.origin
            if checkpoint.size != self.size:
                self._file(
                    Code.BAD_PROOF,
                    "the manifest names another size than the checkpoint",
                    "manifest.json",
                    checkpoint.size,
                    self.size,
                    "size",
                )
                self.size = checkpoint.size
        self._compare_policy()

    def _read_manifest(self) -> Object:
        try:
            manifest = decode_canonical(self.archive.read("manifest.json", 4_096), 4_096)
            check_members(manifest, {"created", "evidence", "format", "origin", "size", "v"})
            if manifest["v"] != 1 or manifest["format"] != FORMAT:
                raise CannotCheck(
                    f"the bundle has a format this verifier does not know: {printable(manifest['format'])}"
                )
            get_integer(manifest, "created")
            get_integer(manifest, "size", 1)
            get_text(manifest, "origin", 255)
            if manifest["evidence"] not in LEVELS:
                raise refuted(
                    Code.BAD_ENCODING,
                    "an unknown level of evidence",
                    field="evidence",
                    expected=", ".join(LEVELS),
                    found=manifest["evidence"],
                )
        except NotFound:
            raise CannotCheck(f"{self.archive.name} has no manifest.json: not a bundle") from None
        except Unreadable as error:
            raise CannotCheck(str(error)) from None
        except Refuted as refusal:
            # Size, origin and level stand in the signed checkpoint or can be assumed at their strictest.
            self.findings.refuse(refusal, file="manifest.json")
            return self._without_manifest()
        return manifest

    def _without_manifest(self) -> Object:
        try:
            lines = self.archive.read("checkpoint", MAX_NOTE).decode("utf-8", "replace").split("\n")
        except (NotFound, Unreadable):
            raise CannotCheck("neither manifest nor checkpoint can be read") from None
        if len(lines) < 2 or not (lines[1].isascii() and lines[1].isdigit() and len(lines[1]) < 16 and int(lines[1])):
            raise CannotCheck("neither manifest nor checkpoint can be read")
        return {"origin": lines[0][:255], "size": int(lines[1]), "evidence": "full", "created": 0}

    def _compare_policy(self) -> None:
        try:
            theirs = self.archive.read("policy", MAX_POLICY)
        except NotFound:
            self._file(Code.BAD_ENCODING, "a file of the bundle is missing", "policy", "a tlog-policy", "none")
            return
        except Unreadable as error:
            self._file(Code.BAD_ENCODING, str(error), "policy", "", "")
            return
        vkeys = [key.vkey.encode("utf-8") for key in self.trust.policy.logs]
        if not any(vkey in theirs for vkey in vkeys):
            self.findings.notice(
                Defect(
                    Code.POLICY_REJECTED,
                    "the exporter's policy names other log keys than yours",
                    Place(file="policy"),
                )
            )

    # --- the pass -------------------------------------------------------------------------------------------

    def run(self) -> Audit:
        """Read everything; all defects are in the findings. Raises CannotCheck when the question stays open."""
        calm()
        self._check_names()
        backend = select(self.options.backend)
        workers = Workers(
            self.origin,
            self.options.backend,
            self.options.jobs if self.options.evidence else 1,
            self.options.signatures,
        )
        for key in self.replay.registry.keys.values():
            workers.tell_key(key.kid, key.jwk)
        try:
            self._pass(workers)
        finally:
            workers.close()
        self._finish()
        return Audit(
            self.origin,
            self.size,
            self.level,
            self.created,
            self.head,
            self.findings,
            backend.name,
            self.start,
        )

    def _pass(self, workers: Workers) -> None:
        evidence = _Evidence(self.archive, self.findings, self.size, self.start, self.options.evidence)
        told: set[str] = set()
        group: list[tuple[int, Leaf | None]] = []
        rows: list[Row] = []
        bundles = 0
        for position, leaf in self._leaves():
            line = evidence.line_of(position, leaf.kind if leaf is not None else "")
            if not self.options.evidence and self.options.watch is None:
                self._tree_only(position, leaf)
                continue
            group.append((position, leaf))
            if leaf is None:
                rows.append(("", b"", b"", 0, None))
            else:
                if leaf.kind == "operator":
                    _tell(workers, leaf, told)
                rows.append((leaf.kind, leaf.chain, leaf.commitment, leaf.time, line))
            if position % WIDTH == WIDTH - 1:
                bundles += 1
                if bundles % GROUP == 0:
                    workers.submit(group, rows)
                    group, rows = [], []
                    self._replay(workers, workers.window)
        workers.submit(group, rows)
        self._replay(workers, 0)
        evidence.finish()

    def _tree_only(self, position: int, leaf: Leaf | None) -> None:
        if leaf is not None and leaf.kind == "operator":
            self.replay.add(position, leaf, None)
        if self.options.progress is not None and position % WIDTH == WIDTH - 1:
            self.options.progress(position + 1, self.size)

    def _replay(self, workers: Workers, keep: int) -> None:
        for group, results in workers.results(keep):
            position = -1
            for (position, leaf), found in zip(group, results, strict=True):
                if leaf is None:
                    self.replay.lost += 1
                    continue
                if self.options.evidence:
                    self.replay.add(position, leaf, found)
                elif leaf.kind == "operator":
                    self.replay.add(position, leaf, None)
                if self.options.watch is not None:
                    self.options.watch(position, leaf, found)
            if self.options.progress is not None and position >= 0:
                self.options.progress(position + 1, self.size)

    def _leaves(self) -> Iterator[tuple[int, Leaf | None]]:
        """Every entry from `start` on, checked against links and tiles."""
        add, append = self.links.add, self.growth.append
        for n in range(self.start // WIDTH, -(-self.size // WIDTH)):
            width = min(WIDTH, self.size - n * WIDTH)
            hashes = self._tile(0, n, width)
            entries = self._bundle(n, width)
            self._level_0 = hashes
            skip = max(0, self.start - n * WIDTH)
            for offset in range(skip, width):
                position = n * WIDTH + offset
                in_tile = hashes[offset] if hashes is not None else None
                if offset < len(entries):
                    leaf, raw = add(position, entries[offset], in_tile)
                else:  # the entry is missing: said once for its file; its hash comes from the tile, if there is one
                    leaf, raw = None, in_tile or bytes(HASH)
                    self.links.skip(position, in_tile)
                for tile in append(raw):
                    self._compare(tile)
                yield position, leaf

    def _bundle(self, n: int, width: int) -> list[bytes]:
        path = tile_path("entries", n, width)
        try:
            entries = split_entries(self.archive.read(path, MAX_BUNDLE), width)
        except Refuted as refusal:
            self.findings.refuse(refusal, file=path, index=n * WIDTH)
            return []
        except NotFound:
            self._file(
                Code.BAD_ENCODING,
                "an entry bundle is missing",
                path,
                f"{width} entries",
                "none",
                index=n * WIDTH,
            )
            return []
        except Unreadable as error:
            self._file(Code.BAD_ENCODING, str(error), path, "", "", index=n * WIDTH)
            return []
        if len(entries) != width:
            self._file(
                Code.BAD_ENCODING,
                "an entry bundle has too few entries",
                path,
                width,
                len(entries),
                index=n * WIDTH + len(entries),
            )
        return entries

    def _tile(self, level: int, n: int, width: int) -> list[bytes] | None:
        path = tile_path(level, n, width)
        try:
            return split_hashes(self.archive.read(path, WIDTH * HASH), width)
        except Refuted as refusal:
            self.findings.refuse(refusal, file=path)
        except NotFound:
            self._file(Code.BAD_PROOF, "a tile is missing", path, f"{width} hashes", "none")
        except Unreadable as error:
            self._file(Code.BAD_ENCODING, str(error), path, "", "")
        return None

    def _compare(self, tile: Tile) -> None:
        """A tile of the bundle against the one recomputed from the entries. Level 0 was compared entry by entry."""
        width = len(tile.hashes)
        self.findings.checked["tiles"] += 1
        published = self._level_0 if tile.level == 0 else self._tile(tile.level, tile.n, width)
        if published is None or published == tile.hashes:
            return
        self._tainted.add((tile.level, tile.n))
        if tile.level == 0:
            return
        for position, (theirs, ours) in enumerate(zip(published, tile.hashes, strict=True)):
            if theirs != ours and (tile.level - 1, tile.n * WIDTH + position) not in self._tainted:
                self._file(
                    Code.BAD_PROOF,
                    f"hash {position} of the tile is not that of the entries below it",
                    tile_path(tile.level, tile.n, width),
                    ours,
                    theirs,
                )

    def _check_names(self) -> None:
        """Exactly the files that a tree of this size implies."""
        for name in self.archive.names():
            try:
                self._check_name(name)
            except Refuted as refusal:
                self.findings.refuse(refusal, file=printable(name))

    def _check_name(self, name: str) -> None:
        if name in ("manifest.json", "checkpoint", "policy"):
            return
        shard = _SHARD_PATH.fullmatch(name)
        if shard is not None:
            n = int(shard[1].replace("x", "").replace("/", ""))
            if name == shard_path(n) and n * SHARD < self.size:
                return
        elif name.startswith("tile/"):
            level, n, width = parse_tile_path(name)
            if level != "data":
                total = self.size >> (8 * (0 if level == "entries" else int(level)))
                if width == min(WIDTH, max(0, total - n * WIDTH)):
                    return
        raise refuted(Code.BAD_ENCODING, "a file that does not belong to a bundle of this size")

    def _finish(self) -> None:
        for tile in self.growth.partial_tiles():
            self._compare(tile)
        self.findings.checked["entries"] += self.size - self.start
        root = self.growth.root()
        if self.head is not None and root != self.head.head.root:
            self._file(
                Code.BAD_PROOF,
                "the entries do not give the signed root",
                "checkpoint",
                self.head.head.root,
                root,
            )
        if not self.options.signatures:
            self.findings.unchecked["signatures of statements (left out on request)"] += 1
        if self.options.evidence:
            self.replay.finish()
        else:
            self.findings.unchecked["evidence and rules (left out on request)"] += 1

    def _file(
        self,
        code: Code,
        sentence: str,
        file: str,
        expected: object,
        found: object,
        field: str | None = None,
        index: int | None = None,
    ) -> None:
        self.findings.add(
            Defect(code, sentence, Place(index, file=file, field=field), printable(expected), printable(found))
        )

    def close(self) -> None:
        """Give temporary files back."""
        self.replay.matching.close()
        self.shelf.close()


def shard_path(n: int) -> str:
    """The path of evidence shard `n`."""
    return tile_path(0, n).replace("tile/0/", "evidence/", 1) + ".jsonl.gz"


def _tell(workers: Workers, leaf: Leaf, told: set[str]) -> None:
    """Hand a key to the workers as soon as its entry is read; when it was in force is judged by the replay."""
    document = leaf.document or {}
    kid, jwk = document.get("kid"), document.get("jwk")
    if document.get("type") == "key.added" and isinstance(kid, str) and isinstance(jwk, dict) and kid not in told:
        told.add(kid)
        workers.tell_key(kid, jwk)


class _Evidence:
    """The evidence lines of the whole bundle in rising index order, handed out entry by entry."""

    def __init__(self, archive: Archive, findings: Findings, size: int, start: int, wanted: bool) -> None:
        self._archive, self._findings, self._size, self._start = archive, findings, size, start
        self._lines = self._read() if wanted else iter(())
        self._next: tuple[int, bytes, str, int] | None = None
        self._advance()

    def _advance(self) -> None:
        self._next = next(self._lines, None)

    def line_of(self, position: int, kind: str) -> bytes | None:
        """The line of an entry, if there is one."""
        waiting = self._next
        if waiting is None or waiting[0] != position:
            return None
        self._advance()
        if kind in ("consent", "subject"):
            return waiting[1]
        if kind:
            self._bad(waiting, "an evidence line for a leaf that has none", "a consent or subject leaf", kind)
        return None

    def finish(self) -> None:
        """All lines were handed out."""

    def _read(self) -> Iterator[tuple[int, bytes, str, int]]:
        last = -1
        for n in range(self._start // SHARD, -(-self._size // SHARD)):
            path = shard_path(n)
            low, high = n * SHARD, min((n + 1) * SHARD, self._size)
            try:
                for number, raw in enumerate(gzip_lines(self._archive, path, MAX_LINE + 1), 1):
                    try:
                        index = line_index(raw)
                    except Refuted as refusal:
                        self._findings.refuse(refusal, file=path, line=number)
                        continue
                    row = (index, raw[:-1] if raw.endswith(b"\n") else raw, path, number)
                    if not raw.endswith(b"\n"):
                        self._bad(row, "the last line has no end", "a newline", "none")
                    if not max(low, last + 1) <= index < high:
                        self._bad(
                            row,
                            "an evidence line out of order or in the wrong shard",
                            f"{max(low, last + 1)} to {high - 1}",
                            str(index),
                        )
                        continue
                    last = index
                    if index >= self._start:
                        yield row
            except NotFound:
                continue
            except Unreadable as error:
                self._findings.add(Defect(Code.BAD_ENCODING, str(error), Place(max(last + 1, low), file=path)))

    def _bad(self, row: tuple[int, bytes, str, int], sentence: str, expected: str, found: str) -> None:
        self._findings.add(Defect(Code.BAD_ENCODING, sentence, Place(row[0], row[2], row[3]), expected, found))
