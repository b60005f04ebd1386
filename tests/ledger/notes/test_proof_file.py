"""Proof files, and whole published logs from leaf to proof file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import b64
from ledger.errors import BadEncoding, InvalidInput
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.proofs import prove_consistency, prove_inclusion, verify_consistency, verify_inclusion
from ledger.merkle.tiles import (
    ENTRIES,
    TilePath,
    TileReader,
    encode_bundle,
    format_path,
    split_tile,
    tile_width,
    tile_widths,
)
from ledger.notes.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from ledger.notes.cosignature import cosigned_message, parse_blob
from ledger.notes.keys import ED25519, Cosigner, Ed25519NoteSigner, VerifierKey, parse_vkey
from ledger.notes.note import NoteSignature, parse_note
from ledger.notes.proof_file import ProofFile, format_proof, parse_proof
from tests.bundles import decode_bundle
from tests.conformance import files
from tests.ledger.merkle.frontier import tree_root

SIGNER = Ed25519NoteSigner("ledger.example/1", bytes(32))
NOTE = sign_checkpoint("ledger.example/1", 2**40, bytes(32), SIGNER)
HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=63)


@given(st.integers(0, 2**40 - 1), HASHES, st.none() | st.binary(min_size=1, max_size=99))
def test_a_proof_file_comes_back_as_it_was_written(index: int, hashes: list[bytes], extra: bytes | None) -> None:
    text = format_proof(index, hashes, NOTE, extra=extra)
    proof = parse_proof(text)
    assert proof == ProofFile(index, tuple(hashes), NOTE, extra)
    assert proof.format() == text


GOOD = format_proof(7, [bytes(32), bytes(32)], NOTE, extra=b"x")
_HASH = b64(bytes(32)) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[1:],
        GOOD.replace("@v1", "@v2"),
        GOOD.replace("index 7", "index 07"),
        GOOD.replace("index 7", "index +7"),
        GOOD.replace("index 7", "index \u0667"),
        GOOD.replace("index 7", f"index {2**40}"),
        GOOD.replace("index 7", "index  7"),
        GOOD.replace("index 7\n", ""),
        GOOD.replace("index 7\n", "index 7\nindex 7\n"),
        GOOD.replace("extra eA==\n", "extra \n"),
        GOOD.replace("extra eA==\n", "extra eB==\n"),
        GOOD.replace("extra eA==\n", "extra eA==\nextra eA==\n"),
        GOOD.replace("extra eA==\nindex 7\n", "index 7\nextra eA==\n"),
        GOOD.replace(_HASH, _HASH[:-2] + "\n", 1),
        GOOD.replace(_HASH, _HASH.replace("AAA=", "AAB="), 1),
        GOOD.replace(_HASH, _HASH * 63, 1),
        GOOD.replace("\n\n", "\n", 1),
        GOOD.replace("\n\n", "\n\n\n", 1),
        GOOD.replace("\n", "\r\n"),
        GOOD + "\n",
        GOOD + "x",
        GOOD[:-1],
        GOOD[: GOOD.index("\n\n") + 2],
        "c2sp.org/tlog-proof@v1\n\n\n",
        "c2sp.org/tlog-proof@v1\n" + _HASH * 100_000,
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    parse_proof(GOOD)
    with pytest.raises(BadEncoding):
        parse_proof(text)


def test_a_proof_no_reader_could_accept_is_not_written() -> None:
    for index, hashes, extra in (
        (-1, [], None),
        (2**63, [], None),
        (0, [bytes(32)] * 64, None),
        (0, [b""], None),
        (0, [], b""),
    ):
        with pytest.raises(InvalidInput):
            format_proof(index, hashes, NOTE, extra=extra)


# Published logs: folders with a key, checkpoints and tiles


class PublishedLog:
    """A folder in the layout of C2SP tlog-tiles."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vkey: VerifierKey = parse_vkey((folder / "log.vkey").read_text().strip())
        self.checkpoints = {
            checkpoint.size: checkpoint
            for checkpoint in (open_checkpoint(p.read_text(), self.vkey) for p in folder.glob("checkpoint*"))
        }
        self.size = max(self.checkpoints)

    def read(self, level: int, number: int, width: int) -> bytes:
        return (self.folder / format_path(TilePath(level, number, width))).read_bytes()

    def entries(self) -> list[bytes]:
        found: list[bytes] = []
        for number in range(-(-self.size // 256)):
            width = tile_width(0, number, self.size)
            found += decode_bundle(self.read(ENTRIES, number, width), width)
        return found


def _logs() -> list[PublishedLog]:
    def honest_and_ed25519(path: Path) -> bool:
        text = path.read_text().strip()
        return (path.parent / "tile").is_dir() and path.parent.name != "forged" and _key_type(text) == ED25519

    return [PublishedLog(path.parent) for path in files("vectors/**/log.vkey", shape=honest_and_ed25519)]


def _key_type(vkey: str) -> int:
    return {"A": ED25519}.get(vkey.split("+", 2)[2][:1], 0) if vkey.count("+") >= 2 else 0


@pytest.mark.conformance
def test_published_logs_grow_as_their_checkpoints_say_and_every_pair_is_consistent() -> None:
    for log in _logs():
        leaves = [leaf_hash(entry) for entry in log.entries()]
        edge = Edge()
        for size, checkpoint in sorted(log.checkpoints.items()):
            proofs = edge.grow(leaves[edge.size : size]).proofs()
            for index, proof in zip(range(edge.size, size), proofs, strict=True):
                verify_inclusion(index, size, leaves[index], proof, checkpoint.root)
            edge.extend(leaves[edge.size : size])
            assert edge.root() == checkpoint.root == tree_root(leaves[:size])
            for level, full, partial in tile_widths(size):
                if partial and (log.folder / format_path(TilePath(level, full, partial))).exists():
                    assert edge.tile(level, full) == log.read(level, full, partial)
        assert Edge.from_tiles(log.size, log.read).to_bytes() == edge.to_bytes()
        read_hashes = TileReader(log.size, log.read).read_hashes
        for index, leaf in enumerate(leaves):
            root = log.checkpoints[log.size].root
            verify_inclusion(index, log.size, leaf, prove_inclusion(index, log.size, read_hashes), root)
        for old in log.checkpoints:
            for new in log.checkpoints:
                if 1 <= old <= new:
                    proof = prove_consistency(old, new, read_hashes)
                    verify_consistency(old, new, proof, log.checkpoints[old].root, log.checkpoints[new].root)


@pytest.mark.conformance
def test_published_bundles_and_tiles_are_written_byte_for_byte() -> None:
    for log in _logs():
        entries = log.entries()
        for number in range(-(-log.size // 256)):
            width = tile_width(0, number, log.size)
            chunk = entries[256 * number : 256 * number + width]
            assert encode_bundle(chunk) == log.read(ENTRIES, number, width)
            assert list(map(leaf_hash, chunk)) == split_tile(log.read(0, number, width), width)
        written = {(t.level, t.number): t.content for t in Edge().extend(list(map(leaf_hash, entries)))}
        for (level, number), content in written.items():
            assert content == log.read(level, number, 256)


# Published proof files


def _policy_key(policy: Path) -> VerifierKey:
    [vkey] = [line.split()[1] for line in policy.read_text().split("\n") if line.startswith("log ")]
    return parse_vkey(vkey)


def _policy_of(proof: Path) -> Path:
    named = proof.with_suffix(".policy")
    return named if named.exists() else proof.parent / (proof.name.split("-")[0] + ".policy")


def _open(text: str, entry: bytes, vkey: VerifierKey) -> tuple[ProofFile, Checkpoint]:
    proof = parse_proof(text)
    checkpoint = open_checkpoint(proof.checkpoint, vkey)
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(entry), proof.hashes, checkpoint.root)
    return proof, checkpoint


@pytest.mark.conformance
def test_published_proof_files_verify_and_are_made_again_from_their_logs_tiles() -> None:
    logs = {log.vkey: log for log in _logs()}
    made_again = 0
    for path in files("vectors/tlog-proof/*.tlog-proof"):
        text = path.read_text()
        [entry] = list(path.parent.glob(path.stem + ".entry*"))
        vkey = _policy_key(_policy_of(path))
        proof, checkpoint = _open(text, entry.read_bytes(), vkey)
        assert proof.format() == text
        if vkey in logs:
            reader = TileReader(logs[vkey].size, logs[vkey].read)
            hashes = prove_inclusion(proof.index, checkpoint.size, reader.read_hashes)
            assert format_proof(proof.index, hashes, proof.checkpoint) == text
            made_again += 1
    assert made_again


@pytest.mark.conformance
def test_published_bad_proof_files_are_refused() -> None:
    for path in files("vectors/tlog-proof/*.json", shape=lambda p: "policy" in p.read_text()):
        for case in json.loads(path.read_text()):
            vkey = _policy_key(path.parent / case["policy"])
            assert case["expect"] is False
            with pytest.raises(InvalidInput):
                _open(case["proof"], case["entry"].encode(), vkey)


# The worked example: every byte


def _examples() -> list[dict[str, Any]]:
    loaded = [json.loads(path.read_text()) for path in files("vectors/worked-example/*.json")]
    return [example for example in loaded if "log_seed_hex" in example]


@pytest.mark.conformance
def test_the_worked_example_is_reproduced_byte_for_byte() -> None:
    for example in _examples():
        vkey = parse_vkey(example["log_vkey"])
        signer = Ed25519NoteSigner(vkey.name, bytes.fromhex(example["log_seed_hex"]))
        assert signer.vkey == vkey
        entries = [entry.encode() for entry in example["entries"]]
        hashes = [leaf_hash(entry) for entry in entries]
        assert [value.hex() for value in hashes] == example["leaf_hashes"]
        assert encode_bundle(entries).hex() == example["entries_bundle_hex"]
        for size, root in example["roots"].items():
            assert tree_root(hashes[: int(size)]).hex() == root
        edge = Edge()
        edge.extend(hashes)
        tile = edge.tile(0, 0)
        assert tile is not None
        assert tile.hex() == example["tile_0_000_p_5_hex"]

        def read_hashes(nodes: list[tuple[int, int]], hashes: list[bytes] = hashes) -> list[bytes]:
            return [tree_root(hashes[index << level : (index + 1) << level]) for level, index in nodes]

        assert [value.hex() for value in prove_inclusion(2, 5, read_hashes)] == example["inclusion_2_of_5"]
        assert Edge().grow(hashes).proofs()[2] == prove_inclusion(2, 5, read_hashes)
        path = prove_consistency(3, 5, read_hashes)
        assert [value.hex() for value in path] == example["consistency_3_5"]

        assert sign_checkpoint(vkey.name, 3, tree_root(hashes[:3]), signer) == example["checkpoint3"]
        signed = sign_checkpoint(vkey.name, 5, edge.root(), signer)
        request = "old 3\n" + "".join(f"{b64(value)}\n" for value in path) + "\n" + signed
        assert request == example["add_checkpoint_request"]
        text = parse_note(signed).text.encode()
        assert cosigned_message(text, 1767225600).decode() == example["cosigned_message_w1"]
        lines = []
        published = {line.name: parse_blob(line.blob) for line in parse_note(example["checkpoint5"]).signatures[1:]}
        for name in ("w1", "w2"):
            witness_key = parse_vkey(example[f"{name}_vkey"])
            witness = Cosigner(witness_key.name, bytes.fromhex(example[f"{name}_seed_hex"]))
            assert witness.vkey == witness_key
            blob = witness.cosign(text, published[witness_key.name].time)
            lines.append(NoteSignature(witness_key.name, witness_key.key_id, blob).format())
        assert lines[0] == example["add_checkpoint_response_w1"]
        cosigned = signed + "".join(lines)
        assert cosigned == example["checkpoint5"]
        assert parse_checkpoint(parse_note(cosigned).text) == Checkpoint(vkey.name, 5, edge.root())
        assert format_proof(2, prove_inclusion(2, 5, read_hashes), cosigned) == example["tlog_proof"]
        assert f"log {vkey.format()}\n" in example["policy"]
