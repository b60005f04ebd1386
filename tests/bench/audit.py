"""After a benchmark: is the log sound, and did everybody who has a receipt get what it says?

The log is exported and verified whole by `consent-verify`, a program that shares no code with the ledger. Then every answer
is held against that verified log: each of its entries is there, once, says what was posted, and its receipt's proof leads
to a checkpoint that the log signed. Speed without this would be a figure about nothing.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct

from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.planning.commands import Recorded
from ledger.receipts import receipt
from tests.bench.places import ROOT, Place
from tests.bench.statements import Post
from verifier.bytes.merkle import hash_leaf, verify_inclusion
from verifier.crypto.backend import select
from verifier.tlog.proof import parse_proof
from verifier.tlog.tiles import split_entries, tile_path
from verifier.tlog.trust import Trust, parse_trust


class Unsound(Exception):
    """A benchmark's log or receipts are not what they must be. The sentence says where."""


class Disclosed(Struct):
    """The members of a receipt that are read here."""

    leaf: str
    evidence: str
    proof: str


class Answered(Struct):
    """One entry of an answer."""

    index: int
    receipt: Disclosed | None = None
    """None for a submission that was recorded in an earlier try, whose answer was lost."""


class Answer(Struct):
    """An answer to a submission."""

    entries: list[Answered]


class _Evidence(Struct):
    statements: list[str]


class _Line(Struct):
    index: int
    evidence: str


_answer = msgspec.json.Decoder(Answer)
_evidence = msgspec.json.Decoder(_Evidence)
_line = msgspec.json.Decoder(_Line)


@dataclass
class Audited:
    """What was checked, and how long each part took."""

    entries: int = 0
    receipts: int = 0
    export_seconds: float = 0.0
    verify_seconds: float = 0.0
    bundle_bytes: int = 0
    _notes: dict[bytes, tuple[int, bytes]] = field(default_factory=dict, repr=False)


def answers(posts: list[Post], bodies: Iterable[tuple[int, int, bytes]]) -> Iterator[tuple[Post, Answer]]:
    """What the server acknowledged: the submissions answered with 200 or 201, with their entries."""
    for number, status, body in bodies:
        if status in {200, 201}:
            yield posts[number], _answer.decode(body)


def answer_of(entries: tuple[Recorded, ...]) -> Answer:
    """What the library answered, in the same form."""
    return Answer(
        [
            Answered(entry.index, Disclosed(made.leaf, str(made.evidence), made.proof))
            for entry in entries
            for made in [receipt(entry)]
        ]
    )


def audit(log: Place, acknowledged: Iterable[tuple[Post, Answer]], folder: Path) -> Audited:
    """Export and verify the log, then hold every acknowledgement against it. Raises Unsound."""
    done = Audited()
    bundle = folder / "bundle"
    begun = time.perf_counter()
    with log.node() as ledger:
        done.entries = export_bundle(
            ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(bundle), disclose=Disclose.full()
        )
        (folder / "policy").write_text(f"log {ledger.vkey.format()}\nquorum none\n")
    done.export_seconds = time.perf_counter() - begun
    done.bundle_bytes = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    begun = time.perf_counter()
    verify(bundle, folder / "policy")
    done.verify_seconds = time.perf_counter() - begun
    posts = list(acknowledged)
    _hold_against(done, _leaves(bundle, done.entries), posts, parse_trust((folder / "policy").read_bytes()))
    _hold_repeats(bundle, posts)
    return done


def verify(bundle: Path, policy: Path, *options: str) -> None:
    """Run `consent-verify bundle`. Raises Unsound with its own words unless it verifies."""
    command = [sys.executable, "-m", "verifier.cli", "bundle", str(bundle), "--policy", str(policy), *options]
    said = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if said.returncode != 0:
        raise Unsound(f"consent-verify ends with {said.returncode}:\n{said.stdout}{said.stderr}")


def _leaves(bundle: Path, size: int) -> dict[int, bytes]:
    """Index to leaf, of a bundle that was verified."""
    leaves: dict[int, bytes] = {}
    for number in range((size + 255) // 256):
        width = min(256, size - 256 * number)
        data = (bundle / tile_path("entries", number, width)).read_bytes()
        leaves.update(enumerate(split_entries(data, width), 256 * number))
    return leaves


def _hold_against(
    done: Audited, leaves: Mapping[int, bytes], acknowledged: Iterable[tuple[Post, Answer]], trust: Trust
) -> None:
    by_index: dict[int, str] = {}
    by_statement: dict[str, list[int]] = {}
    for post, answer in acknowledged:
        indexes = [entry.index for entry in answer.entries]
        if len(indexes) != post.entries:
            raise Unsound(f"a submission of {post.entries} entries was answered with {len(indexes)}")
        if by_statement.setdefault(post.statement, indexes) != indexes:
            raise Unsound(f"one statement was recorded at {by_statement[post.statement]} and at {indexes}")
        for entry in answer.entries:
            if by_index.setdefault(entry.index, post.statement) != post.statement:
                raise Unsound(f"entry {entry.index} was given to two statements")
            if entry.receipt is not None:
                _check(done, entry.index, entry.receipt, post, leaves, trust)
            done.receipts += 1


def _hold_repeats(bundle: Path, acknowledged: Iterable[tuple[Post, Answer]]) -> None:
    """A repeat is told where its entries are and gets no receipt: what stands there must be what was posted."""
    told = {entry.index: post for post, answer in acknowledged for entry in answer.entries if entry.receipt is None}
    for shard in sorted((bundle / "evidence").rglob("*.jsonl.gz")) if told else ():
        with gzip.open(shard) as lines:
            for line in map(_line.decode, lines):
                post = told.pop(line.index, None)
                if post and not {post.statement, post.companion} & set(_evidence.decode(line.evidence).statements):
                    raise Unsound(f"entry {line.index} was named to someone who posted another statement")
    if told:
        raise Unsound(f"entry {min(told)} was named in answer to a repeat, and the verified log does not hold it")


def _check(done: Audited, index: int, shown: Disclosed, post: Post, leaves: Mapping[int, bytes], trust: Trust) -> None:
    leaf = shown.leaf.encode()
    if leaves.get(index) != leaf:
        raise Unsound(f"entry {index} was acknowledged, and the verified log does not hold it")
    if not {post.statement, post.companion} & set(_evidence.decode(shown.evidence).statements):
        raise Unsound(f"entry {index} was acknowledged to someone who posted another statement")
    proof = parse_proof(shown.proof.encode())
    if proof.index != index:
        raise Unsound(f"the receipt of entry {index} proves entry {proof.index}")
    signed = done._notes.get(proof.checkpoint)  # one signature check for all receipts of a batch
    if signed is None:
        head = trust.verify(proof.checkpoint, select()).head
        signed = done._notes[proof.checkpoint] = head.size, head.root
    verify_inclusion(proof.index, signed[0], hash_leaf(leaf), proof.path, signed[1])
