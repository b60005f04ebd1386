"""Cases: what happened to a bundle after the log was written (verdicts.md, steps 1 to 5, 7.1 to 7.3 and 9.9; bundles.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.vectors.cases import Lie, case
from tests.vectors.hashing import Json, b64u, encode, gzip_stored
from tests.vectors.log import ORIGIN, SHARD, Files, Log, entry_bundle, signature_line
from tests.vectors.signing import Ed25519
from tests.vectors.story import HOLDER, Story, erased

TILE, ENTRIES = "tile/0/000.p/17", "tile/entries/000.p/17"


def whole(*steps: str, **shape: Any) -> Callable[[Lie], Lie]:
    """A case about the whole log of ruleset 1."""
    return case(*steps, base="ruleset-1", at=None, **shape)


def manifest(log: Log, **changes: Any) -> bytes:
    return encode({**json.loads(log.files()["manifest.json"]), **changes})


def entries(log: Story, at: int, content: bytes) -> Files:
    return {**log.files(), ENTRIES: entry_bundle([*log.entries[:at], content, *log.entries[at + 1 :]])}


def lines(log: Story) -> list[bytes]:
    return [log.line(index) for index in sorted(log.bodies)]


def shard(log: Story, rows: list[bytes]) -> Files:
    return {**log.files(), SHARD: gzip_stored(b"".join(rows))}


# --- whole, and as they should be -----------------------------------------------------------------------------


@whole(exit=0, unchecked=False)
def _an_honest_log_of_ruleset_1(log: Story) -> None:
    """Nothing is wrong, and nothing is left unchecked."""


@case("9.9", at=None, exit=0, unchecked=True)
def _an_honest_log_of_ruleset_2(log: Story) -> None:
    """Nothing is wrong; the bodies of one consent were erased, with a document that says so."""


@whole("3.4", exit=0, policy="quorum")
def _a_witnessed_log(log: Story) -> Files:
    """The cosignature meets the reader's quorum."""
    return log.files(cosign=True)


@whole("3.4", exit=3, policy="quorum")
def _a_log_without_its_witness(log: Story) -> None:
    """Everything holds but the quorum of the reader's policy."""


@whole("9.9", exit=0, unchecked=True)
def _a_partial_bundle(log: Story) -> Files:
    """A withheld body of a partial bundle is counted, and so is what rests on it."""
    return log.files("partial", frozenset({9}))


@whole("9.9", exit=0, unchecked=True)
def _a_bundle_without_evidence(log: Story) -> Files:
    """Leaves, links and maps alone."""
    return log.files("none")


@whole(exit=0, unchecked=False)
def _a_log_of_a_while_ago(log: Story) -> Files:
    """The first entries under their own checkpoint are an honest log."""
    log.entries, log.bodies = log.entries[:12], {index: body for index, body in log.bodies.items() if index < 12}
    return log.files()


# --- manifest, checkpoint, names ------------------------------------------------------------------------------


@whole("1.1", exit=2, policy="nonsense")
def _a_policy_that_does_not_read(log: Story) -> None:
    """Without a policy nothing can be said."""


@whole("1.1", exit=2, policy="without-quorum")
def _a_policy_without_a_quorum_line(log: Story) -> None:
    """Whoever asks for no witness writes `quorum none`."""


@whole("1.1", exit=2, policy="expired")
def _a_trust_file_that_has_expired(log: Story) -> None:
    """From `expires` on a trust file is none."""


@whole("2.1", exit=2)
def _no_manifest(log: Story) -> Files:
    """Nobody can say what this is."""
    return {name: content for name, content in log.files().items() if name != "manifest.json"}


@whole("2.1", exit=2)
def _a_manifest_of_another_format(log: Story) -> Files:
    """`format` is asked for before anything else."""
    return {**log.files(), "manifest.json": manifest(log, format="consent-ledger-bundle/2")}


@whole("2.1", exit=2)
def _a_manifest_of_another_version(log: Story) -> Files:
    """`v` is a whole number that the reader does not know."""
    return {**log.files(), "manifest.json": manifest(log, v=2, more=True)}


@whole("2.2", told=(("BAD_ENCODING", "manifest.json"),))
def _a_manifest_of_version_0(log: Story) -> Files:
    """0 is no version."""
    return {**log.files(), "manifest.json": manifest(log, v=0)}


@whole("2.2", told=(("BAD_ENCODING", "manifest.json"),))
def _a_manifest_with_one_member_more(log: Story) -> Files:
    """Exactly its members."""
    return {**log.files(), "manifest.json": manifest(log, more=1)}


@whole("2.2", told=(("BAD_ENCODING", "manifest.json"),))
def _a_manifest_with_white_space(log: Story) -> Files:
    """The manifest is CL-JSON."""
    return {**log.files(), "manifest.json": log.files()["manifest.json"].replace(b":17", b": 17")}


@whole("2.1", "3.2", exit=2)
def _neither_manifest_nor_checkpoint(log: Story) -> Files:
    """Nobody can say which log this is, and how large."""
    return {**log.files(), "manifest.json": b"x", "checkpoint": b"x"}


@whole("3.1", told=(("BAD_PROOF", "checkpoint"),))
def _no_checkpoint(log: Story) -> Files:
    """Everything else is checked under the manifest's origin and size."""
    return {name: content for name, content in log.files().items() if name != "checkpoint"}


@whole("3.2", told=(("BAD_ENCODING", "checkpoint"),))
def _a_checkpoint_that_is_no_note(log: Story) -> Files:
    """Two lines are no note."""
    return {**log.files(), "checkpoint": f"{ORIGIN}\n17\n".encode()}


@whole("3.2", told=(("BAD_SIGNATURE", "checkpoint"),))
def _a_checkpoint_of_another_key(log: Story) -> Files:
    """Its name and key id are the log's, its signature is not."""
    text = log.files()["checkpoint"].split(b"\n\n")[0] + b"\n"
    line = signature_line(ORIGIN, 1, log.note_key, Ed25519("stranger").sign(text))
    return {**log.files(), "checkpoint": text + b"\n" + line}


@whole("3.2", told=(("BAD_SIGNATURE", "checkpoint"),))
def _a_checkpoint_that_no_known_key_signed(log: Story) -> Files:
    """Lines of unknown keys are passed over, and no line is left."""
    text = log.files()["checkpoint"].split(b"\n\n")[0] + b"\n"
    key = Ed25519("stranger")
    return {**log.files(), "checkpoint": text + b"\n" + signature_line(ORIGIN, 1, key, key.sign(text))}


@whole("3.2", told=(("POLICY_REJECTED", "checkpoint"),), policy="retired")
def _a_key_beyond_its_sizes(log: Story) -> None:
    """The trust file lets this key sign up to size 16."""


@whole("3.3", told=(("BAD_SIGNATURE", "manifest.json"),))
def _a_manifest_of_another_origin(log: Story) -> Files:
    """The origin is the checkpoint's."""
    return {**log.files(), "manifest.json": manifest(log, origin="ledger.example/other")}


@whole("3.3", told=(("BAD_PROOF", "manifest.json"),))
def _a_manifest_of_another_size(log: Story) -> Files:
    """The size is the checkpoint's."""
    return {**log.files(), "manifest.json": manifest(log, size=16)}


@whole("4.1", told=(("BAD_ENCODING", "readme.txt"),))
def _a_file_too_many(log: Story) -> Files:
    """Exactly the files of the layout."""
    return {**log.files(), "readme.txt": b"hello\n"}


@whole("4.1", told=(("BAD_ENCODING", "tile/0/000.p/016"),))
def _a_tile_under_another_spelling(log: Story) -> Files:
    """A width has no leading zero."""
    return {**log.files(), "tile/0/000.p/016": log.files()[TILE][:512]}


@whole("4.1", told=(("BAD_ENCODING", SHARD),))
def _evidence_where_the_manifest_says_none(log: Story) -> Files:
    """The lines are checked all the same, as in a partial bundle."""
    return {**log.files(), "manifest.json": manifest(log, evidence="none")}


@whole("4.2", told=(("BAD_ENCODING", "policy"),))
def _no_policy_in_the_bundle(log: Story) -> Files:
    """The exporter's policy belongs to the layout, although nobody trusts it."""
    return {name: content for name, content in log.files().items() if name != "policy"}


@whole("4.2", exit=0, notices=(("POLICY_REJECTED", "policy"),))
def _a_policy_of_another_log_in_the_bundle(log: Story) -> Files:
    """A notice: the verdict rests on the reader's own policy."""
    other = Story(1)
    other.note_key = Ed25519("stranger")
    return {**log.files(), "policy": other.policy().encode()}


# --- entries and tiles ----------------------------------------------------------------------------------------


@whole("5.1", told=(("BAD_ENCODING", 14),))
def _the_last_entries_are_missing(log: Story) -> Files:
    """The first entry that is not there is named, and the file."""
    return {**log.files(), ENTRIES: entry_bundle(log.entries[:14])}


@whole("5.2", told=(("BAD_PROOF", TILE),))
def _no_hash_tile(log: Story) -> Files:
    """Entries are checked against the root all the same."""
    return {name: content for name, content in log.files().items() if name != TILE}


@whole("5.2", told=(("BAD_ENCODING", TILE),))
def _a_hash_tile_of_another_length(log: Story) -> Files:
    """32 bytes for each hash."""
    return {**log.files(), TILE: log.files()[TILE][:-1]}


@whole("5.3", told=(("BAD_PROOF", 9),))
def _a_hash_in_a_tile_is_another(log: Story) -> Files:
    """Entry and links are right, so the tile is wrong."""
    tile = bytearray(log.files()[TILE])
    tile[9 * 32] ^= 1
    return {**log.files(), TILE: bytes(tile)}


@whole("5.3", told=(("BAD_PROOF", 9), ("BAD_PROOF", "checkpoint")))
def _an_entry_is_another(log: Story) -> Files:
    """One byte of its time. Its links are right, so the next entry may name either hash."""
    leaf = json.loads(log.entries[9])
    return entries(log, 9, encode({**leaf, "time": leaf["time"] + 1}))


@whole("5.6", told=(("BAD_PROOF", "checkpoint"),))
def _the_log_signed_another_root(log: Story) -> Files:
    """The signature holds, and the entries do not give what it is over."""
    return {**log.files(), "checkpoint": log.checkpoint(lie=bytes(32))}


# --- evidence lines -------------------------------------------------------------------------------------------


@whole("7.1", told=(("BAD_ENCODING", SHARD), ("BODY_MISSING", 8)))
def _a_line_with_one_member_more(log: Story) -> Files:
    """A line that does not read is no line: its entry has none."""
    rows = lines(log)
    return shard(log, [*rows[:3], encode({**json.loads(rows[3]), "more": 1}) + b"\n", *rows[4:]])


@whole("7.1", told=(("BAD_ENCODING", 8),))
def _a_line_twice(log: Story) -> Files:
    """Indexes rise."""
    rows = lines(log)
    return shard(log, [*rows[:4], *rows[3:]])


@whole("7.1", told=(("BAD_ENCODING", 15),))
def _the_last_line_does_not_end(log: Story) -> Files:
    """Each line ends in LF, the last one too; it counts all the same."""
    return {**log.files(), SHARD: gzip_stored(b"".join(lines(log))[:-1])}


@whole("7.1", told=(("BAD_ENCODING", SHARD),))
def _zero_bytes_behind_the_gzip_member(log: Story) -> Files:
    """Nothing is behind the one member."""
    return {**log.files(), SHARD: log.files()[SHARD] + bytes(4)}


@whole("7.1", told=(("BAD_ENCODING", SHARD),))
def _two_gzip_members(log: Story) -> Files:
    """A shard is one member; every line of the first counts."""
    return {**log.files(), SHARD: log.files()[SHARD] + gzip_stored(b"")}


@whole("7.1", told=(("BAD_ENCODING", SHARD),))
def _another_checksum_of_the_shard(log: Story) -> Files:
    """Every line counts."""
    content = bytearray(log.files()[SHARD])
    content[-8] ^= 1
    return {**log.files(), SHARD: bytes(content)}


@whole("7.2", told=(("BAD_ENCODING", 3),))
def _evidence_of_an_operators_document(log: Story) -> Files:
    """Only leaves of kind consent and subject have evidence."""
    line: Json = {"evidence": "{}", "index": 3, "opening": b64u(bytes(32))}
    return shard(log, [encode(line) + b"\n", *lines(log)])


@whole("7.2", told=(("BAD_ENCODING", 12),))
def _evidence_of_an_index_head(log: Story) -> Files:
    """Nor has an index-head."""
    rows = lines(log)
    line: Json = {"evidence": "{}", "index": 12, "opening": b64u(bytes(32))}
    at = sum(index < 12 for index in log.bodies)
    return shard(log, [*rows[:at], encode(line) + b"\n", *rows[at:]])


@whole("7.3", told=(("BAD_COMMITMENT", 9),))
def _another_opening(log: Story) -> Files:
    """Evidence and opening give another commitment."""
    rows = lines(log)
    return shard(log, [*rows[:4], encode({**json.loads(rows[4]), "opening": b64u(bytes(32))}) + b"\n", *rows[5:]])


@whole("7.3", told=(("BAD_COMMITMENT", 8),))
def _another_decision_in_the_evidence(log: Story) -> Files:
    """The exporter changed what it hands out."""
    rows = lines(log)
    changed = rows[3].replace(b'\\"used_today\\":0', b'\\"used_today\\":7')
    assert changed != rows[3]
    return shard(log, [*rows[:3], changed, *rows[4:]])


@whole("9.9", told=(("BODY_MISSING", 9),))
def _a_body_is_missing(log: Story) -> Files:
    """The bundle says full, and nobody erased it."""
    return log.files("full", frozenset({9}))


@case("9.9", at=None, told=(("BODY_MISSING", 10),))
def _an_erasure_elsewhere_excuses_nothing(log: Story) -> Files:
    """Another consent was erased, not this one."""
    return log.files("full", erased(log) | {10})


@case("9.9", at=37, told=(("BODY_MISSING", 34), ("BODY_MISSING", 35)))
def _an_erasure_that_names_another_chain(log: Story) -> Files:
    """The document names the holder's chain: nothing was erased."""
    from tests.vectors.hashing import chain_of

    chain = b64u(chain_of(f"operator:participant:{HOLDER}"))
    log.operator("erasure", chains=[chain], basis="request", approved_by=["officer-1", "officer-2"])
    return log.files("full", frozenset({34, 35}))
