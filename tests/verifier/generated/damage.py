"""What may happen to a bundle after the log was written: files that are changed, cut, exchanged, filled with nonsense."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.verifier.forge import Json, Signer, b64u, encode
from tests.verifier.generated.lies import wrong
from tests.verifier.generated.lives import Life

Files = dict[str, bytes]
Told = set[tuple[str, int | str]]
"""Code, and the index or the file, of each defect."""
SHARD = "evidence/000.jsonl.gz"


@dataclass(frozen=True)
class Damage:
    """`do` changes the files of a bundle with all its evidence, and says what must be told; `exactly`: and nothing else."""

    name: str
    step: str
    do: Callable[[Life, Files, random.Random], Told]
    exit: int = 1
    exactly: bool = True


DAMAGES: list[Damage] = []


def damage(step: str, *, exit: int = 1, exactly: bool = True) -> Callable[..., Any]:
    def keep(do: Callable[[Life, Files, random.Random], Told]) -> Callable[[Life, Files, random.Random], Told]:
        DAMAGES.append(Damage(do.__name__.strip("_").replace("_", " "), step, do, exit, exactly))
        return do

    return keep


def one(files: Files, start: str) -> str:
    return next(name for name in files if name.startswith(start))


# --- manifest, checkpoint, names ------------------------------------------------------------------------------


@damage("2.1", exit=2)
def _the_manifest_is_of_another_format(_: Life, files: Files, dice: random.Random) -> Told:
    manifest = json.loads(files["manifest.json"])
    change = dice.choice(({"v": 2}, {"format": "consent-ledger-bundle/2"}))
    files["manifest.json"] = encode({**manifest, **change})
    if dice.random() < 0.3:
        del files["manifest.json"]
    return set()


@damage("2.2")
def _the_manifest_holds_nonsense(_: Life, files: Files, dice: random.Random) -> Told:
    manifest = json.loads(files["manifest.json"])
    name = dice.choice(["created", "origin", "size", "evidence"])
    manifest[name] = wrong(manifest[name], dice)
    files["manifest.json"] = encode(manifest)
    return {("BAD_ENCODING", "manifest.json")}


@damage("3.1")
def _the_checkpoint_is_missing(_: Life, files: Files, __: random.Random) -> Told:
    del files["checkpoint"]
    return {("BAD_PROOF", "checkpoint")}


@damage("3.2")
def _the_checkpoint_is_a_strangers(life: Life, files: Files, dice: random.Random) -> Told:
    text = files["checkpoint"].split(b"\n\n")[0] + b"\n"
    if dice.random() < 0.5:
        files["checkpoint"] = files["checkpoint"].replace(b"\n", b"\r\n", 1) if dice.random() < 0.5 else b"size 5\n"
        return {("BAD_ENCODING", "checkpoint")}
    life.log_key = Signer("a stranger", "x").key
    files["checkpoint"] = text + b"\n" + life.checkpoint().split(b"\n\n")[1]
    return {("BAD_SIGNATURE", "checkpoint")}


@damage("3.3")
def _the_manifest_names_another_log(_: Life, files: Files, dice: random.Random) -> Told:
    manifest = json.loads(files["manifest.json"])
    if dice.random() < 0.5:
        files["manifest.json"] = encode({**manifest, "origin": "other.example/log"})
        return {("BAD_SIGNATURE", "manifest.json")}
    files["manifest.json"] = encode({**manifest, "size": manifest["size"] + dice.choice((-1, 1, 900))})
    return {("BAD_PROOF", "manifest.json")}


@damage("4.1")
def _a_file_does_not_belong(_: Life, files: Files, dice: random.Random) -> Told:
    name = dice.choice(["tile/0/999", "more", "evidence/001.jsonl.gz", "tile/entries/000.p/999", "evidence/x"])
    files[name] = b"x"
    return {("BAD_ENCODING", name)}


@damage("4.1", exactly=False)
def _evidence_where_there_is_none(_: Life, files: Files, __: random.Random) -> Told:
    files["manifest.json"] = encode({**json.loads(files["manifest.json"]), "evidence": "none"})
    return {("BAD_ENCODING", SHARD)}


@damage("4.2")
def _the_policy_is_missing(_: Life, files: Files, __: random.Random) -> Told:
    del files["policy"]
    return {("BAD_ENCODING", "policy")}


@damage("4.3")
def _a_model_that_nobody_named(_: Life, files: Files, dice: random.Random) -> Told:
    name = f"models/{b64u(dice.randbytes(32))}.json"
    files[name] = b"{}"
    return {("BAD_ENCODING", name)}


# --- entries and tiles ----------------------------------------------------------------------------------------


@damage("5.1", exactly=False)
def _entries_are_missing(life: Life, files: Files, dice: random.Random) -> Told:
    name = one(files, "tile/entries/")
    cut = dice.choice(["file", "last", "within"])
    if cut == "file":
        del files[name]
        return {("BAD_ENCODING", 0)}
    last = len(life.entries) - 1
    files[name] = files[name][: -(2 + len(life.entries[last]) if cut == "last" else 3)]
    return {("BAD_ENCODING", last)}


@damage("5.2")
def _a_tile_is_missing(_: Life, files: Files, dice: random.Random) -> Told:
    name = one(files, "tile/0/")
    if dice.random() < 0.5:
        del files[name]
        return {("BAD_PROOF", name)}
    files[name] = files[name][:-1]
    return {("BAD_ENCODING", name)}


@damage("5.3", exactly=False)
def _a_hash_in_a_tile_is_another(life: Life, files: Files, dice: random.Random) -> Told:
    name, index = one(files, "tile/0/"), dice.randrange(len(life.entries))
    content = bytearray(files[name])
    content[32 * index + dice.randrange(32)] ^= 1 << dice.randrange(8)
    files[name] = bytes(content)
    return {("BAD_PROOF", index)}


@damage("5.3", exactly=False)
def _two_entries_are_swapped(life: Life, files: Files, dice: random.Random) -> Told:
    index = dice.randrange(len(life.entries) - 1)
    entries = list(life.entries)
    entries[index], entries[index + 1] = entries[index + 1], entries[index]
    files[one(files, "tile/entries/")] = b"".join(len(entry).to_bytes(2) + entry for entry in entries)
    return {("BAD_PROOF", index), ("BAD_PROOF", index + 1)}


@damage("5.4", exactly=False)
def _an_entry_is_nonsense(life: Life, files: Files, dice: random.Random) -> Told:
    index = dice.randrange(len(life.entries))
    entries = list(life.entries)
    entries[index] = dice.choice(
        [b"{}", b"", b"[]", b"null", b"\xff\xfe", b"[" * 900, b'{"v":1}', encode({"a": [[[[[[[[[1]]]]]]]]]})]
    )
    files[one(files, "tile/entries/")] = b"".join(len(entry).to_bytes(2) + entry for entry in entries)
    return {("BAD_ENCODING", index), ("BAD_PROOF", index)}


@damage("5.6", exactly=False)
def _the_log_signed_other_entries(life: Life, files: Files, _: random.Random) -> Told:
    files["checkpoint"] = life.checkpoint(root=bytes(32))
    return {("BAD_PROOF", "checkpoint")}


# --- evidence lines -------------------------------------------------------------------------------------------


def lines(files: Files) -> list[bytes]:
    return gzip.decompress(files[SHARD]).splitlines(keepends=True)


def put(files: Files, rows: list[bytes]) -> None:
    files[SHARD] = gzip.compress(b"".join(rows), 1, mtime=0)


@damage("7.1")
def _a_line_is_nonsense(_: Life, files: Files, dice: random.Random) -> Told:
    rows = lines(files)
    at = dice.randrange(len(rows))
    members = json.loads(rows[at])
    index = members["index"]
    changed = dice.choice(({"more": 1}, {"index": wrong(index, dice)}))
    rows[at] = dice.choice(
        [b"{}\n", b"[]\n", b"null\n", b"\xff\n", b'{"index":1}\n', b"\n", encode({**members, **changed}) + b"\n"]
    )
    put(files, rows)
    return {("BAD_ENCODING", SHARD), ("BODY_MISSING", index)}


@damage("7.1")
def _two_lines_are_swapped(_: Life, files: Files, dice: random.Random) -> Told:
    rows = lines(files)
    at = dice.randrange(len(rows) - 1)
    index = json.loads(rows[at])["index"]
    rows[at], rows[at + 1] = rows[at + 1], rows[at]
    put(files, rows)
    return {("BAD_ENCODING", index), ("BODY_MISSING", index)}


@damage("7.1")
def _a_line_comes_twice(_: Life, files: Files, dice: random.Random) -> Told:
    rows = lines(files)
    at = dice.randrange(len(rows))
    rows.insert(at, rows[at])
    put(files, rows)
    return {("BAD_ENCODING", json.loads(rows[at])["index"])}


@damage("7.2")
def _an_operators_document_has_evidence(life: Life, files: Files, dice: random.Random) -> Told:
    index = dice.randrange(life.started)  # participants and their keys
    members = {"evidence": "{}", "index": index, "opening": b64u(bytes(32))}
    put(files, [encode(members) + b"\n", *lines(files)])
    return {("BAD_ENCODING", index)}


@damage("7.3")
def _an_opening_is_another(_: Life, files: Files, dice: random.Random) -> Told:
    rows = lines(files)
    at = dice.randrange(len(rows))
    members: Json = json.loads(rows[at])
    if dice.random() < 0.5:
        rows[at] = encode({**members, "opening": b64u(bytes(32))}) + b"\n"
    else:
        rows[at] = encode({**members, "evidence": members["evidence"].replace("1", "2", 1) + " "}) + b"\n"
    put(files, rows)
    return {("BAD_COMMITMENT", members["index"])}


@damage("9.9")
def _a_line_is_missing(_: Life, files: Files, dice: random.Random) -> Told:
    rows = lines(files)
    row = rows.pop(dice.randrange(len(rows)))
    put(files, rows)
    return {("BODY_MISSING", json.loads(row)["index"])}
