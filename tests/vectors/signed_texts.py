"""Vectors of signed texts: checkpoints as notes, witness policies, trust files."""

from __future__ import annotations

from tests.vectors import hashing as h
from tests.vectors.hashing import Json, b64
from tests.vectors.log import ORIGIN, signature_line, vkey
from tests.vectors.policies import POLICIES
from tests.vectors.signing import Ed25519
from tests.vectors.story import Story, ruleset_2


def notes() -> Json:
    log = ruleset_2()
    witness, stranger = Ed25519("witness"), Ed25519("stranger")
    good, text = log.checkpoint(cosign=True), log.checkpoint().split(b"\n\n")[0] + b"\n"
    own = signature_line(ORIGIN, 1, log.note_key, log.note_key.sign(text))
    forged = signature_line(ORIGIN, 1, log.note_key, stranger.sign(text))
    unknown = signature_line("stranger.example", 1, stranger, stranger.sign(text))
    rows: list[tuple[str, bytes, bool]] = [
        ("signed by the log", log.checkpoint(), True),
        ("cosigned", good, True),
        ("a line of an unknown key", text + b"\n" + unknown + own, True),
        ("only a line of an unknown key", text + b"\n" + unknown, False),
        ("a wrong signature of a known key", text + b"\n" + forged, False),
        ("a wrong signature beside a right one", text + b"\n" + own + forged, False),
        ("a right signature beside a wrong one", text + b"\n" + forged + own, False),
        ("no signature", text, False),
        ("no end of line", log.checkpoint()[:-1], False),
        ("carriage returns", log.checkpoint().replace(b"\n", b"\r\n"), False),
        ("another text", log.checkpoint().replace(b"\n39\n", b"\n38\n"), False),
        ("a size with a leading zero", _signed(log, text.replace(b"\n39\n", b"\n039\n")), False),
        ("a root of 31 bytes", _signed(log, b"\n".join([*text.split(b"\n")[:2], b64(bytes(31)).encode(), b""])), False),
        ("two lines only", _signed(log, text.split(b"\n")[0] + b"\n39\n"), False),
        ("an empty line in the text", _signed(log, text + b"\n"), False),
    ]
    vkeys = [
        ("the log's", log.vkey, True),
        ("another key id", log.vkey.replace("+", "+0", 1)[: len(log.vkey)], False),
        ("a key id in upper case", log.vkey.replace(log.vkey.split("+")[1], log.vkey.split("+")[1].upper()), False),
        ("no key", log.vkey.rpartition("+")[0] + "+", False),
        ("a name with a space", "a b" + log.vkey[len(ORIGIN) :], False),
        ("a key of small order", vkey(ORIGIN, 1, _fixed(bytes(32))), False),
        ("31 bytes", vkey(ORIGIN, 1, _fixed(bytes(31))), False),
    ]
    return {
        "about": "Checkpoints as signed notes (log.md, C2SP signed-note and tlog-checkpoint). Accepted: a checkpoint, signed by `vkey`, no line of which is wrong.",
        "checkpoint": {"origin": ORIGIN, "root": b64(h.root(log.hashes)), "size": 39},
        "cosignature": {
            "message": (b"cosignature/v1\ntime %d\n" % (log.time // 1000) + text).hex(),
            "vkey": vkey("witness.example", 4, witness),
        },
        "notes": [
            {"accept": accept, "name": name, "note": note.decode(), "vkey": log.vkey} for name, note, accept in rows
        ],
        "vkeys": [{"accept": accept, "name": name, "vkey": text} for name, text, accept in vkeys],
    }


def _fixed(public: bytes) -> Ed25519:
    key = Ed25519("fixed")
    key.public = public
    return key


def _signed(log: Story, text: bytes) -> bytes:
    return text + b"\n" + signature_line(ORIGIN, 1, log.note_key, log.note_key.sign(text))


def policies() -> Json:
    log = f"log {Story(1).vkey}\n"
    one, two, three = (vkey(f"w{n}.example", 4, Ed25519(f"witness {n}")) for n in range(3))
    w = f"witness one {one}\nwitness two {two}\nwitness three {three}\n"
    same_key = vkey("other.example", 4, Ed25519("witness 0"))
    same_name = vkey("w0.example", 4, Ed25519("witness 1"))
    rows: list[tuple[str, str, bool]] = [
        ("no witness", f"{log}quorum none\n", True),
        ("one", f"{log}witness one {one}\nquorum one\n", True),
        ("two of three", f"{log}{w}group most 2 one two three\nquorum most\n", True),
        ("groups of groups", f"{log}{w}group a any one two\ngroup b all a three\nquorum b\n", True),
        ("comments and blank lines", f"# ours\n\n {log}\t\nquorum\tnone\n", True),
        ("a URL", f"{log[:-1]} https://l.example/\nquorum none\n", True),
        ("two keys of a log", POLICIES["both-keys"], True),
        ("nothing", "", False),
        ("no quorum", log, False),
        ("two quorums", f"{log}quorum none\nquorum none\n", False),
        ("no end of line", f"{log}quorum none", False),
        ("a carriage return", f"{log}quorum none\r\n", False),
        ("a comment behind words", f"{log}quorum none # all\n", False),
        ("an unknown line", f"{log}require one\nquorum none\n", False),
        ("a quorum that is defined below", f"{log}quorum one\nwitness one {one}\n", False),
        ("a member that is not defined", f"{log}witness one {one}\ngroup g any one two\nquorum g\n", False),
        ("a member twice", f"{log}{w}group g 2 one one\nquorum g\n", False),
        ("a member of two groups", f"{log}{w}group a any one two\ngroup b any one three\nquorum b\n", False),
        ("0 of two", f"{log}{w}group g 0 one two\nquorum g\n", False),
        ("3 of two", f"{log}{w}group g 3 one two\nquorum g\n", False),
        ("02 of two", f"{log}{w}group g 02 one two\nquorum g\n", False),
        ("a group without members", f"{log}{w}group g all\nquorum g\n", False),
        ("a name twice", f"{log}witness one {one}\nwitness one {two}\nquorum one\n", False),
        ("a witness named none", f"{log}witness none {one}\nquorum none\n", False),
        ("one key, two witnesses", f"{log}witness one {one}\nwitness two {same_key}\nquorum one\n", False),
        ("one name, two witnesses", f"{log}witness one {one}\nwitness two {same_name}\nquorum one\n", False),
        ("the log as its own witness", f"{log}witness one {vkey('w.example', 4, Ed25519('log'))}\nquorum one\n", False),
        ("a log's key as a witness's", f"{log}witness one {Story(1).vkey}\nquorum none\n", False),
    ]
    members = '{"expires":4000000000000,"keys":[],"origins":[],"policy":"no","rp_ids":[],"v":1,"version":1}'
    places, stolen = POLICIES["places"], POLICIES["compromised"]
    trust = [
        ("places", places, True),
        ("retired", POLICIES["retired"], True),
        ("a policy that does not read", members, False),
        ("version 0", places.replace('"version":1', '"version":0'), False),
        ("an unknown member", places.replace('"v":1', '"u":1,"v":1'), False),
        ("a name twice", places.replace('"v":1', '"v":1,"v":1'), False),
        ("compromised from a size on", stolen, True),
        ("compromised from no number on", stolen.replace('size":14', 'size":null'), False),
    ]
    return {
        "about": "Policies and trust files (policies.md).",
        "policies": [{"accept": accept, "name": name, "text": text} for name, text, accept in rows],
        "trust_files": [{"accept": accept, "name": name, "text": text} for name, text, accept in trust],
    }
