"""Tampered copies of any bundle: `scripts/tamper BUNDLE OUT` writes one folder per kind, and what must be said of it.

    scripts/tamper bundle copies --policy policy --verifier dist/consent-verify.pyz

also runs the verifier on every copy, and on the bundle itself, and compares: exit status, code, and the entry or file named.
Needs nothing but Python, like the verifier; the bundle is a folder with evidence (`consent-ledger export`). Files that a kind
leaves alone are links to those of the bundle.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import hmac
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Files = dict[str, bytes]
WIDTH, SHARD = 256, 65_536


def encode(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def b64u(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def tile_name(level: int | str, n: int, width: int = WIDTH) -> str:
    text = f"{n % 1000:03d}"
    while n := n // 1000:
        text = f"x{n % 1000:03d}/{text}"
    return f"tile/{level}/{text}" + ("" if width == WIDTH else f".p/{width}")


class Bundle:
    """An honest bundle, and the entries in it at which tampering is aimed."""

    def __init__(self, root: Path, seed: int = 1) -> None:
        self.root, self.dice = root, random.Random(seed)
        self.manifest: Json = json.loads((root / "manifest.json").read_bytes())
        self.size: int = self.manifest["size"]
        self.entries: list[bytes] = []
        for n in range(-(-self.size // WIDTH)):
            data, at = self.read(self.bundle_file(n * WIDTH)), 0
            while at < len(data):
                end = at + 2 + int.from_bytes(data[at : at + 2])
                self.entries.append(data[at + 2 : end])
                at = end
        self.leaves: list[Json] = [json.loads(entry) for entry in self.entries]
        self.shard = "evidence/000.jsonl.gz"
        rows = gzip.decompress(self.read(self.shard)).splitlines(keepends=True)
        self.rows = {json.loads(row)["index"]: row for row in rows}
        inner = [index for index in sorted(self.rows) if 0 < index < min(self.size, SHARD) - 1]
        self.victim = self._access(inner)
        """An access with evidence, somewhere in the middle."""
        self.neighbour = next(index for index in inner if index > self.victim)
        self.operator = self._last(lambda leaf: leaf["kind"] == "operator")
        self.head = self._last(lambda leaf: leaf["kind"] == "index-head")

    def _access(self, indexes: Sequence[int]) -> int:
        found = [
            index
            for index in indexes[1:-1]
            if b"access.request" in self.rows[index] and b"decision" in self.rows[index]
        ]
        return found[len(found) // 2]

    def _last(self, fits: Callable[[Json], bool]) -> int:
        return max((index for index, leaf in enumerate(self.leaves) if fits(leaf)), default=-1)

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def bundle_file(self, index: int) -> str:
        n = index // WIDTH
        return tile_name("entries", n, min(WIDTH, self.size - n * WIDTH))

    def tile_file(self, index: int) -> str:
        return self.bundle_file(index).replace("tile/entries/", "tile/0/")

    def with_entries(self, index: int, change: Callable[[list[bytes], int], object]) -> Files:
        """The entry bundle of `index` with its list of entries changed; `change` is told where in it the entry stands."""
        first = index // WIDTH * WIDTH
        part = self.entries[first : first + WIDTH]
        change(part, index - first)
        return {self.bundle_file(index): b"".join(len(entry).to_bytes(2) + entry for entry in part)}

    def with_rows(self, change: Callable[[dict[int, bytes]], object]) -> Files:
        """The first evidence file with its lines changed (a line of several lines is several)."""
        rows = dict(self.rows)
        change(rows)
        return {self.shard: gzip.compress(b"".join(rows[index] for index in sorted(rows)), 1, mtime=0)}


@dataclass(frozen=True)
class Expected:
    """What the verifier must say: the exit status, the code of the verdict, and the entry or the file that a defect names."""

    name: str
    status: int
    code: str | None
    index: int | None = None
    file: str | None = None


@dataclass(frozen=True)
class Tampering:
    """One kind: `change` gives the files that differ from the bundle's; None as content takes a file away."""

    expected: Expected
    change: Callable[[], dict[str, bytes | None]]


def kinds(bundle: Bundle) -> list[Tampering]:
    """Every kind of tampering that this bundle offers a place for."""
    victim, made = bundle.victim, []

    def kind(
        name: str,
        code: str | None,
        change: Callable[[], Any],
        *,
        at: int | None = None,
        file: str | None = None,
        status: int = 1,
    ) -> None:
        made.append(Tampering(Expected(name, status, code, at, file), change))

    _of_leaves(bundle, victim, kind)
    _of_entry_files(bundle, victim, kind)
    _of_tiles(bundle, victim, kind)
    _of_the_checkpoint(bundle, kind)
    _of_the_manifest(bundle, kind)
    _of_evidence(bundle, victim, kind)
    _of_whole_histories(bundle, victim, kind)
    return made


Kind = Callable[..., None]


def _of_leaves(bundle: Bundle, victim: int, kind: Kind) -> None:
    def leaf(name: str, at: int = victim, code: str = "BAD_PROOF", **members: Any) -> None:
        changed = encode({key: value for key, value in {**bundle.leaves[at], **members}.items() if value is not None})
        entry(name, code, lambda _: changed, at)

    def entry(name: str, code: str, change: Callable[[bytes], bytes], at: int = victim) -> None:
        kind(name, code, lambda: bundle.with_entries(at, lambda part, n: part.__setitem__(n, change(part[n]))), at=at)

    zero, old = b64u(bytes(32)), bundle.leaves[victim]
    leaf("a commitment is another", commitment=zero)
    leaf("an entry is in another chain", chain=zero)
    leaf("an entry names another predecessor", prev=zero)
    leaf("an entry names another predecessor in its chain", prev_in_chain=zero)
    leaf("an entry has another number in its chain", seq=old["seq"] + 1)
    leaf("an entry is a millisecond younger", time=old["time"] + 1)
    leaf("an entry is back-dated by a day", time=old["time"] - 86_400_000)
    leaf("an entry has another index", index=victim + 1)
    leaf("an entry is of another kind", kind="subject" if old["kind"] == "consent" else "consent")
    if bundle.operator >= 0:
        document = {**bundle.leaves[bundle.operator]["document"], "v": 2}
        leaf("an operator document says something else", bundle.operator, document=document)
    if bundle.head >= 0:
        leaf("a map root is another", bundle.head, map_root=zero)
        leaf("a map covers less", bundle.head, map_size=bundle.leaves[bundle.head]["map_size"] - 1)
    leaf("an entry is of version 2", code="BAD_ENCODING", v=2)
    leaf("an entry has a member more", code="BAD_ENCODING", x=1)
    leaf("an entry lacks a member", code="BAD_ENCODING", seq=None)
    entry("an entry has a member twice", "BAD_ENCODING", lambda e: e[:-1] + b',"v":1}')
    entry("an entry has a space", "BAD_ENCODING", lambda e: e.replace(b",", b", ", 1))
    entry("an entry has an escape", "BAD_ENCODING", lambda e: e.replace(b'"v":', b'"\\u0076":'))
    entry("an entry has a float", "BAD_ENCODING", lambda e: e[:-1] + b".0}")
    entry(
        "an entry has a number beyond 2^53", "BAD_ENCODING", lambda e: e.replace(b'"seq":', b'"seq":9007199254740992')
    )
    entry("an entry has padding", "BAD_ENCODING", lambda e: e.replace(b'","index"', b'=","index"', 1))
    entry("an entry begins with a byte order mark", "BAD_ENCODING", lambda e: b"\xef\xbb\xbf" + e)
    entry("an entry is arrays all the way down", "BAD_ENCODING", lambda _: b"[" * 60_000)
    entry("an entry is empty", "BAD_ENCODING", lambda _: b"")
    entry("an entry is an inner node", "BAD_ENCODING", lambda _: b"\1" + bytes(64))


def _of_entry_files(bundle: Bundle, victim: int, kind: Kind) -> None:
    # Neighbours in one file, however the log is cut into files.
    at = victim if victim % WIDTH != WIDTH - 1 and victim + 1 < bundle.size else victim - 1
    file, last = bundle.bundle_file(victim), bundle.bundle_file(bundle.size - 1)

    def swap(part: list[bytes], n: int) -> None:
        part[n], part[n + 1] = part[n + 1], part[n]

    kind("two entries are swapped", "BAD_PROOF", lambda: bundle.with_entries(at, swap), at=at)
    kind("an entry is deleted", "BAD_PROOF", lambda: bundle.with_entries(at, lambda part, n: part.pop(n)), at=at)
    kind(
        "an entry comes twice",
        "BAD_ENCODING",
        lambda: bundle.with_entries(at, lambda part, n: part.insert(n, part[n])),
        at=at + 1,
    )
    kind(
        "the last entry is cut off",
        "BAD_ENCODING",
        lambda: bundle.with_entries(bundle.size - 1, lambda part, _: part.pop()),
        at=bundle.size - 1,
    )
    kind(
        "a file of entries ends within one", "BAD_ENCODING", lambda: {last: bundle.read(last)[:-3]}, at=bundle.size - 1
    )
    kind("a file of entries is missing", "BAD_ENCODING", lambda: {file: None}, at=victim // WIDTH * WIDTH, file=file)
    start = sum(2 + len(entry) for entry in bundle.entries[victim // WIDTH * WIDTH : victim])

    def longer() -> Files:
        data = bytearray(bundle.read(file))
        data[start] ^= 1
        return {file: bytes(data)}

    kind("the length of an entry is another", "BAD_ENCODING", longer, at=victim)


def _of_tiles(bundle: Bundle, victim: int, kind: Kind) -> None:
    file = bundle.tile_file(victim)

    def flipped(name: str, at: int) -> Files:
        data = bytearray(bundle.read(name))
        data[at] ^= 1
        return {name: bytes(data)}

    kind("a hash in a tile is another", "BAD_PROOF", lambda: flipped(file, victim % WIDTH * 32), at=victim)
    kind("a tile is cut short", "BAD_ENCODING", lambda: {file: bundle.read(file)[:-1]}, file=file)
    kind("a tile is missing", "BAD_PROOF", lambda: {file: None}, file=file)
    kind("a file that does not belong", "BAD_ENCODING", lambda: {"tile/0/999": bytes(32)}, file="tile/0/999")
    if bundle.size > WIDTH:
        full = bundle.size // WIDTH
        upper = tile_name(1, 0, min(WIDTH, full))
        kind("a hash in an upper tile is another", "BAD_PROOF", lambda: flipped(upper, 3), file=upper)


def _of_the_checkpoint(bundle: Bundle, kind: Kind) -> None:
    note = bundle.read("checkpoint")
    text, _, lines = note.partition(b"\n\n")
    origin, size, root, *_ = text.split(b"\n")

    def of(name: str, code: str, changed: bytes) -> None:
        kind(name, code, lambda: {"checkpoint": changed}, file="checkpoint")

    of("the checkpoint has another root", "BAD_SIGNATURE", note.replace(root, base64.b64encode(bytes(32))))
    of("the checkpoint has another size", "BAD_SIGNATURE", note.replace(size, b"%d" % (int(size) + 1), 1))
    of("the size has a leading zero", "BAD_SIGNATURE", note.replace(b"\n" + size, b"\n0" + size, 1))
    of("the size has Arabic digits", "BAD_SIGNATURE", note.replace(b"\n" + size, "\n٣".encode(), 1))
    of("the checkpoint is of another log", "BAD_SIGNATURE", note.replace(origin, b"other.example/log", 1))
    of("the checkpoint has an extension line", "BAD_SIGNATURE", text + b"\nextension\n\n" + lines)
    of("a signature is another", "BAD_SIGNATURE", _another_signature(text, lines))
    of(
        "the signature is a stranger's",
        "BAD_SIGNATURE",
        text + b"\n\n" + lines.replace(b"\xe2\x80\x94 ", b"\xe2\x80\x94 x", 1),
    )
    of("the checkpoint has no signature", "BAD_ENCODING", text + b"\n\n")
    of("the checkpoint is not a note", "BAD_ENCODING", b"size 5\n")
    of("the checkpoint holds a control character", "BAD_ENCODING", note.replace(b"\n", b"\r\n", 1))
    kind("the checkpoint is missing", "BAD_PROOF", lambda: {"checkpoint": None}, file="checkpoint")


def _another_signature(text: bytes, lines: bytes) -> bytes:
    """One bit of the first signature's R."""
    first, _, rest = lines.partition(b"\n")
    name, _, blob = first.rpartition(b" ")
    raw = bytearray(base64.b64decode(blob))
    raw[10] ^= 1
    return text + b"\n\n" + name + b" " + base64.b64encode(raw) + b"\n" + rest


def _of_the_manifest(bundle: Bundle, kind: Kind) -> None:
    def of(name: str, code: str | None, status: int = 1, **members: Any) -> None:
        file = "manifest.json" if status == 1 else None
        kind(name, code, lambda: {"manifest.json": encode({**bundle.manifest, **members})}, file=file, status=status)

    of("the manifest names another size", "BAD_PROOF", size=bundle.size - 1)
    of("the manifest names another log", "BAD_SIGNATURE", origin="other.example/log")
    of("the manifest has an unknown level", "BAD_ENCODING", evidence="most")
    of("the manifest has a member more", "BAD_ENCODING", x=1)
    of("the bundle is of a later format", None, 2, format="consent-ledger-bundle/99")
    kind("the manifest is missing", None, lambda: {"manifest.json": None}, status=2)


def _of_evidence(bundle: Bundle, victim: int, kind: Kind) -> None:
    other, file = bundle.neighbour, bundle.shard

    def line(name: str, code: str, change: Callable[[Json], object], at: int | None = victim) -> None:
        def changed(rows: dict[int, bytes]) -> None:
            members = json.loads(rows[victim])
            change(members)
            rows[victim] = encode(members) + b"\n"

        kind(name, code, lambda: bundle.with_rows(changed), at=at, file=None if at is not None else file)

    def rows(name: str, code: str, change: Callable[[dict[int, bytes]], object], at: int | None = None) -> None:
        kind(name, code, lambda: bundle.with_rows(change), at=at, file=None if at is not None else file)

    def judged(text: str) -> str:
        return text.replace('"allow"', '"d"').replace('"deny"', '"allow"').replace('"d"', '"deny"')

    def swap(lines: dict[int, bytes]) -> None:
        lines[victim], lines[other] = lines[other], lines[victim]

    def exchange(lines: dict[int, bytes]) -> None:
        a, b = json.loads(lines[victim]), json.loads(lines[other])
        for name in ("evidence", "opening"):
            a[name], b[name] = b[name], a[name]
        lines[victim], lines[other] = encode(a) + b"\n", encode(b) + b"\n"

    line("an opening is another", "BAD_COMMITMENT", lambda m: m.update(opening=b64u(bytes(32))))
    line("a decision is the other one", "BAD_COMMITMENT", lambda m: m.update(evidence=judged(m["evidence"])))
    line(
        "evidence is spelt otherwise",
        "BAD_COMMITMENT",
        lambda m: m.update(evidence=m["evidence"].replace(",", ", ", 1)),
    )
    line(
        "a statement in evidence is another",
        "BAD_COMMITMENT",
        lambda m: m.update(evidence=_another_statement(m["evidence"])),
    )
    line("an opening is a byte short", "BAD_ENCODING", lambda m: m.update(opening=b64u(bytes(31))))
    line("a line of evidence has a member more", "BAD_ENCODING", lambda m: m.update(x=1), at=None)
    line("evidence belongs to another entry", "BAD_ENCODING", lambda m: m.update(index=bundle.size + 5), at=None)
    rows("a line of evidence is missing", "BODY_MISSING", lambda lines: lines.pop(victim), at=victim)
    rows("a line of evidence comes twice", "BAD_ENCODING", lambda lines: lines.update({victim: lines[victim] * 2}))
    rows("two lines of evidence are swapped", "BAD_ENCODING", swap)
    rows("two entries have each other's evidence", "BAD_COMMITMENT", exchange, at=victim)
    rows("a line of evidence is not JSON", "BAD_ENCODING", lambda lines: lines.update({victim: b"{}}\n"}))
    kind("the evidence ends too soon", "BAD_ENCODING", lambda: {file: bundle.read(file)[:-20]}, file=file)
    kind("the evidence is not compressed", "BAD_ENCODING", lambda: {file: b"".join(bundle.rows.values())}, file=file)
    kind("all evidence is missing", "BODY_MISSING", lambda: {file: None}, at=min(bundle.rows))


def _another_statement(evidence: str) -> str:
    """One character of the first signature."""
    members = json.loads(evidence)
    statement: str = members["statements"][0]
    members["statements"][0] = statement[:-5] + ("A" if statement[-5] != "A" else "B") + statement[-4:]
    return encode(members).decode()


def _of_whole_histories(bundle: Bundle, victim: int, kind: Kind) -> None:
    kind(
        "the history is rewritten from one entry on", "BAD_PROOF", lambda: _rewritten(bundle, victim), file="checkpoint"
    )
    kind(
        "the history is rewritten without an entry",
        "BAD_PROOF",
        lambda: _rewritten(bundle, victim, leave_out=True),
        file="checkpoint",
    )


def _rewritten(bundle: Bundle, victim: int, *, leave_out: bool = False) -> dict[str, bytes | None]:
    """An entry opens otherwise, or is gone, and all that follows is made to fit."""
    leaves = [dict(leaf) for leaf in bundle.leaves]
    lines = {index: json.loads(row) for index, row in bundle.rows.items()}
    if leave_out:
        leaves.pop(victim)
        lines = {index - (index > victim): line for index, line in lines.items() if index != victim}
    else:
        opening = hashlib.sha256(b"another opening").digest()
        bound = b"consent-ledger/v1/commitment\0" + hashlib.sha256(lines[victim]["evidence"].encode()).digest()
        lines[victim]["opening"] = b64u(opening)
        leaves[victim]["commitment"] = b64u(hmac.digest(opening, bound, "sha256"))
    return relinked(bundle, leaves, lines)


def relinked(bundle: Bundle, leaves: list[Json], lines: dict[int, Json]) -> dict[str, bytes | None]:
    """The files of another history: links, tiles, evidence and manifest fit these leaves and lines. Only the signature does
    not, which nobody without the log's key can make."""
    entries, last, heads = [], bytes(32), dict[str, tuple[int, bytes]]()
    for index, leaf in enumerate(leaves):
        leaf |= {"index": index, "prev": b64u(last)}
        if "chain" in leaf:
            seq, head = heads.get(leaf["chain"], (-1, bytes(32)))
            leaf |= {"seq": seq + 1, "prev_in_chain": b64u(head)}
        entries.append(encode(leaf))
        last = leaf_hash(entries[-1])
        if "chain" in leaf:
            heads[leaf["chain"]] = (leaf["seq"], last)
    changed: dict[str, bytes | None] = {
        path.relative_to(bundle.root).as_posix(): None for path in (bundle.root / "tile").rglob("*") if path.is_file()
    }
    row, level = [leaf_hash(entry) for entry in entries], 0
    for n in range(-(-len(entries) // WIDTH)):
        part = entries[n * WIDTH : n * WIDTH + WIDTH]
        changed[tile_name("entries", n, len(part))] = b"".join(len(entry).to_bytes(2) + entry for entry in part)
    while row:
        for n in range(-(-len(row) // WIDTH)):
            tile = row[n * WIDTH : n * WIDTH + WIDTH]
            changed[tile_name(level, n, len(tile))] = b"".join(tile)
        row, level = [_fold(row[n : n + WIDTH]) for n in range(0, len(row) - WIDTH + 1, WIDTH)], level + 1
    changed["manifest.json"] = encode({**bundle.manifest, "size": len(entries)})
    told = [encode({**line, "index": index}) + b"\n" for index, line in sorted(lines.items())]
    changed[bundle.shard] = gzip.compress(b"".join(told), 1, mtime=0)
    return changed


def _fold(row: list[bytes]) -> bytes:
    while len(row) > 1:
        row = [hashlib.sha256(b"\1" + row[at] + row[at + 1]).digest() for at in range(0, len(row), 2)]
    return row[0]


def write(tampering: Tampering, bundle: Bundle, target: Path) -> None:
    """The tampered copy as a folder; what is not changed is linked."""
    changed = tampering.change()
    for source in sorted(path for path in bundle.root.rglob("*") if path.is_file()):
        name = source.relative_to(bundle.root).as_posix()
        if name not in changed:
            _place(target, name)
            try:
                os.link(source, target / name)
            except OSError:  # another file system
                (target / name).write_bytes(source.read_bytes())
    for name, content in changed.items():
        if content is not None:
            _place(target, name)
            (target / name).write_bytes(content)


def _place(target: Path, name: str) -> None:
    (target / name).parent.mkdir(parents=True, exist_ok=True)


def judged(output: str, status: int, expected: Expected) -> str:
    """What is wrong with the verifier's answer; empty if it says what it must."""
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    if not events or status != expected.status or events[-1]["status"] != status:
        return f"exit status {status} instead of {expected.status}"
    defects = [event for event in events if event["event"] == "defect"]
    if expected.code is not None and expected.code not in {defect["code"] for defect in defects}:
        return f"no {expected.code} among {sorted({defect['code'] for defect in defects})}"
    if expected.index is not None and events[-1]["first_bad"] != expected.index:
        return f"first bad entry {events[-1]['first_bad']} instead of {expected.index}"
    if expected.file is not None and expected.file not in {defect["file"] for defect in defects}:
        return f"{expected.file} is not named"
    return ""


def command(verifier: Path, bundle: Path, policy: Path, *, offline: bool) -> list[str]:
    """The verifier as an auditor runs it: one file, an interpreter without site packages, and no network."""
    alone = ["unshare", "--user", "--map-root-user", "--net"] if offline else []
    return [*alone, sys.executable, "-I", "-S", str(verifier), "bundle", str(bundle), "--policy", str(policy), "--json"]


def main() -> int:
    """0 if every copy is written and, with a verifier, every answer is the right one."""
    parser = argparse.ArgumentParser(
        prog="scripts/tamper", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--policy", type=Path, help="the policy to verify with")
    parser.add_argument("--verifier", type=Path, help="consent-verify.pyz: run it on every copy")
    parser.add_argument(
        "--offline", action="store_true", help="run it in a network namespace of its own, where there is no network"
    )
    parser.add_argument(
        "--no-signatures", action="store_true", help="leave statement signatures out: faster without a library"
    )
    arguments = parser.parse_args()
    bundle = Bundle(arguments.bundle)
    made = kinds(bundle)
    arguments.out.mkdir(parents=True)
    (arguments.out / "expected.jsonl").write_text("".join(json.dumps(asdict(one.expected)) + "\n" for one in made))
    tampered = [(f"{number:02d}", one) for number, one in enumerate(made, 1)]
    for number, one in tampered:
        write(one, bundle, arguments.out / number)
    print(f"{len(made)} kinds of tampering in {arguments.out}")
    if arguments.verifier is None or arguments.policy is None:
        return 0
    wrong = 0
    honest = Expected("the bundle itself", 0, None)
    for place, expected in [
        (arguments.bundle, honest),
        *((arguments.out / number, one.expected) for number, one in tampered),
    ]:
        line = command(arguments.verifier, place, arguments.policy, offline=arguments.offline)
        line += ["--no-signatures"] if arguments.no_signatures else []
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        fault = judged(done.stdout, done.returncode, expected) or done.stderr[-300:]
        wrong += bool(fault)
        print(
            f"{'WRONG' if fault else 'ok':5} {place.name:>6} {expected.name}{': ' + fault if fault else ''}", flush=True
        )
    print(f"{len(made) + 1 - wrong} of {len(made) + 1} answers are right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
