"""Notes, checkpoints, policies, trust files and proofs: who signed is decided by name, id and key, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.verifier.making import BACKEND, TIME, Signer, checkpoint_note, refusal
from tests.verifier.trees import inclusion_path, root_of
from verifier.bytes import merkle
from verifier.bytes.encoding import encode_base64
from verifier.errors import CannotCheck, Code
from verifier.tlog.checkpoint import Checkpoint, parse_checkpoint
from verifier.tlog.head import open_head
from verifier.tlog.note import MAX_LINES, parse_note, parse_vkey, verify_note
from verifier.tlog.policy import parse_policy
from verifier.tlog.proof import Proof, parse_proof, verify_proof
from verifier.tlog.trust import Trust, parse_trust

LOG = Signer("ledger.example/test")
W1, W2, W3 = (Signer(f"w{n}.example", 4) for n in (1, 2, 3))
LEAVES = [merkle.hash_leaf(bytes([n])) for n in range(7)]
POLICY = "\n".join(
    [
        f"log {LOG.vkey} https://ledger.example",
        "# the witnesses",
        "",
        f"\twitness one {W1.vkey}",
        f"witness two {W2.vkey}",
        f"witness three {W3.vkey} https://w3.example",
        "group most 2 one two three",
        "quorum most",
        "",
    ]
)


def note(*witnesses: Signer) -> bytes:
    return checkpoint_note(LOG, LEAVES, *witnesses)


def test_m05_a_checkpoint_of_an_unknown_log_is_refused() -> None:
    with refusal(Code.BAD_SIGNATURE):
        open_head(note(), [Signer("other.example").key], BACKEND)
    with refusal(Code.BAD_SIGNATURE):  # a name is not a key
        open_head(note(), [impostor()], BACKEND)
    with refusal(Code.BAD_SIGNATURE):  # a witness is not the log
        open_head(note(W1), [], BACKEND, witnesses=[W1.key])


def impostor() -> Any:
    other = Signer("ledger.example/test-2")
    other.name = LOG.name
    return parse_vkey(rename(other))


def rename(signer: Signer) -> str:
    """The vkey of this key under this name."""
    data = bytes([signer.kind]) + signer.private.public_key().public_bytes_raw()
    signer.key_id = hashlib.sha256(signer.name.encode() + b"\n" + data).digest()[:4]
    return f"{signer.name}+{signer.key_id.hex()}+{encode_base64(data)}"


def test_m06_m11_one_bad_line_of_a_known_key_refuses_the_whole_note() -> None:
    other_root = Checkpoint(LOG.name, 7, merkle.hash_leaf(b"")).body()
    text = parse_note(note()).text
    for bad in (
        W1.line(other_root),
        W1.line(text)[:-3] + b"A=\n",
        LOG.line(other_root),
        LOG.line(text + b"x\n"),
    ):
        for data in (note(W2) + bad, note(W2).replace(LOG.line(text), bad + LOG.line(text))):
            with refusal(Code.BAD_SIGNATURE, Code.BAD_ENCODING):
                open_head(data, [LOG.key], BACKEND, witnesses=[W1.key, W2.key])
    stranger = Signer("stranger.example", 4)
    assert open_head(note() + stranger.line(other_root), [LOG.key], BACKEND, witnesses=[W1.key]).cosignatures == ()


def test_a_log_key_is_not_a_witness_and_the_origin_is_the_keys_name() -> None:
    as_witness = Signer(LOG.name, 4)
    head = open_head(note(as_witness), [LOG.key], BACKEND, witnesses=[as_witness.key])
    assert [s.key for s in head.log] == [LOG.key]
    with refusal(Code.BAD_SIGNATURE):
        open_head(note(as_witness), [as_witness.key], BACKEND)
    assert open_head(note(as_witness), [LOG.key, as_witness.key], BACKEND).cosignatures == ()
    second = Signer("second.example")
    head = open_head(note(second), [LOG.key], BACKEND, witnesses=[second.key])
    assert ([s.key for s in head.log], head.cosignatures) == ([LOG.key], ())
    with refusal(Code.BAD_SIGNATURE):  # nor does a key count as the log's because it is of that kind
        open_head(note(second), [Signer("third.example").key], BACKEND, witnesses=[second.key], origin=LOG.name)
    foreign = checkpoint_note(LOG, LEAVES, origin="another log")
    with refusal(Code.BAD_SIGNATURE):
        open_head(foreign, [LOG.key], BACKEND)
    assert open_head(foreign, [LOG.key], BACKEND, origin="another log").size == 7


def test_a_line_repeated_counts_once_and_lines_are_bounded() -> None:
    line = W1.line(parse_note(note()).text)
    signed = verify_note(parse_note(note() + line * 3), [W1.key], BACKEND)
    assert [s.time_ms for s in signed] == [TIME * 1000]
    parse_note(note() + line * (MAX_LINES - 1))
    with refusal(Code.BAD_ENCODING):
        parse_note(note() + line * MAX_LINES)
    with refusal(Code.BAD_ENCODING):
        parse_note(note() + line * 10_000)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.replace("+", "", 1),
        lambda v: v + "A",
        lambda v: v.upper(),
        lambda v: " " + v,
        lambda v: v + "\n",
        lambda v: v.replace("ledger", "lédger "),
        lambda v: v[: v.rindex("+") + 1] + encode_base64(b"\x03" + b"k" * 32),
        lambda v: v.replace("ledger", "ledger2"),
        lambda v: v.split("+")[0],
        lambda v: v[:0],
    ],
)
def test_a_verifier_key_has_one_spelling(change: Any) -> None:
    with refusal(Code.BAD_ENCODING):
        parse_vkey(change(LOG.vkey))


def test_a_weak_verifier_key_is_refused() -> None:
    for raw in (bytes(32), (1).to_bytes(32, "little"), b"\xff" * 32, b"k" * 31):
        with refusal(Code.BAD_SIGNATURE):
            parse_vkey(f"x+00000000+{encode_base64(bytes([1]) + raw)}")


def test_m13_the_empty_log_has_the_empty_root() -> None:
    empty = Checkpoint("x", 0, merkle.EMPTY_ROOT)
    assert parse_checkpoint(empty.body()) == empty
    with refusal(Code.BAD_PROOF):
        parse_checkpoint(Checkpoint("x", 0, bytes(32)).body())


def test_an_rfc_6962_signature_covers_neither_another_origin_nor_extension_lines() -> None:
    private = ec.derive_private_key(77, ec.SECP256R1())
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name, stamp = "ct.example/2026", (1_767_225_600_000).to_bytes(8)
    identity = name.encode() + b"\n\x05" + hashlib.sha256(spki).digest()
    key_id = hashlib.sha256(identity).digest()[:4]
    key = parse_vkey(f"{name}+{key_id.hex()}+{encode_base64(bytes([5]) + spki)}")
    root = root_of(LEAVES)
    der = private.sign(b"\0\1" + stamp + (7).to_bytes(8) + root, ec.ECDSA(hashes.SHA256()))
    blob = encode_base64(key_id + stamp + b"\4\3" + len(der).to_bytes(2) + der)

    def data(checkpoint: Checkpoint) -> bytes:
        return checkpoint.body() + f"\n— {name} {blob}\n".encode()

    assert open_head(data(Checkpoint(name, 7, root)), [key], BACKEND).size == 7
    for other in (
        Checkpoint(name, 7, root, ("more",)),
        Checkpoint("ct.example/2027", 7, root),
        Checkpoint(name, 8, root),
    ):
        with refusal(Code.BAD_SIGNATURE):
            open_head(data(other), [key], BACKEND, origin=other.origin)


# --- policies -------------------------------------------------------------------------------------------------


def test_m10_the_quorum_decides_between_valid_and_unwitnessed() -> None:
    policy = parse_policy(POLICY.encode())
    for witnesses, level in (
        ((), "VALID_UNWITNESSED"),
        ((W1,), "VALID_UNWITNESSED"),
        ((W1, W3), "VALID"),
        ((W1, W1), "VALID_UNWITNESSED"),
        ((W1, W2, W3), "VALID"),
    ):
        found = policy.verify(note(*witnesses), BACKEND)
        assert found.level.value == level
    assert not policy.is_satisfied(["most"])
    assert not policy.is_satisfied(["one", "one", "nobody"])


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.replace("quorum most", "quorum most\nquorum most"),
        lambda p: p[:-1],
        lambda p: p + "quorum",
        lambda p: p.replace("most 2", "most 4"),
        lambda p: p.replace("most 2", "most 0"),
        lambda p: p.replace("most 2", "most 02"),
        lambda p: p.replace("most 2", "most +2"),
        lambda p: p.replace("group most", "group one"),
        lambda p: p.replace("group most", "group none"),
        lambda p: p.replace("one two three", "one two most"),
        lambda p: p.replace("one two three", "one one two"),
        lambda p: p.replace("one two three", "one two none"),
        lambda p: p.replace(W2.vkey, Signer("w2.example").vkey),
        lambda p: p.replace(f"log {LOG.vkey}", f"log {W1.vkey}"),
        lambda p: p + f"log {LOG.vkey}\n",
        lambda p: p.replace("quorum most", "quorum most # all of them"),
        lambda p: p.replace("\n", "\r\n"),
        lambda p: p + "\x7f\n",
        lambda p: p.replace("witness two", "Witness two"),
        lambda p: p + "#" * 300_000 + "\n",
        lambda p: p + "\n" * 5_000,
        lambda p: "quorum most\n" + p.replace("quorum most\n", ""),
        lambda p: p[:0],
        lambda p: p.replace(" two ", "\u00a0two "),
    ],
)
def test_a_policy_that_is_not_one_cannot_be_used(change: Any) -> None:
    with pytest.raises(CannotCheck):
        parse_policy(change(POLICY).encode())


@pytest.mark.parametrize(
    ("quorum", "least"),
    [
        ("quorum none", 0),
        ("quorum one", 1),
        ("group g any one two\nquorum g", 1),
        ("group g all one two\nquorum g", 2),
        ("group g 1 one two\nquorum g", 1),
        ("group g 2 one two\nquorum g", 2),
    ],
)
def test_a_quorum_is_met_by_exactly_as_many_as_it_says(quorum: str, least: int) -> None:
    policy = parse_policy(f"witness one {W1.vkey}\nwitness two {W2.vkey}\n{quorum}\n".encode())
    assert [policy.is_satisfied(["one", "two"][:count]) for count in range(3)] == [count >= least for count in range(3)]


def test_an_unknown_line_of_a_policy_is_refused_by_its_word() -> None:
    with pytest.raises(CannotCheck, match="not a line of a policy: 'quorums'"):
        parse_policy(f"{POLICY}quorums\n".encode())


def test_one_public_key_under_two_key_names_is_not_a_second_witness() -> None:
    again = Signer(W1.name, 4)
    again.name = "w9.example"
    with pytest.raises(CannotCheck, match="same public key"):
        parse_policy(POLICY.replace(W2.vkey, rename(again)).encode())


def _nested(depth: int) -> bytes:
    lines = [f"log {LOG.vkey}", f"witness w0 {W1.vkey}", *(f"group w{n} all w{n - 1}" for n in range(1, depth + 1))]
    return "\n".join([*lines, f"quorum w{depth}", ""]).encode()


def test_groups_are_nested_at_most_32_deep() -> None:
    policy = parse_policy(_nested(32))
    assert policy.is_satisfied(["w0"])
    assert not policy.is_satisfied([])
    for depth in (33, 3_000):
        with pytest.raises(CannotCheck, match="policy line 35: groups are nested more than 32 deep"):
            parse_policy(_nested(depth))


def test_a_policy_names_at_most_256_of_each() -> None:
    logs = [Signer(f"log{n}.example").vkey for n in range(257)]
    witnesses = [Signer(f"w{n}.example", 4).vkey for n in range(257)]
    for what, lines in (
        ("logs", [f"log {v}" for v in logs]),
        ("witnesses", [f"witness w{n} {v}" for n, v in enumerate(witnesses)]),
    ):
        assert parse_policy("\n".join([*lines[:256], "quorum none", ""]).encode())
        with pytest.raises(CannotCheck, match=f"policy line 257: more than 256 {what}"):
            parse_policy("\n".join([*lines, "quorum none", ""]).encode())


def test_nobody_counts_twice_and_nobody_witnesses_itself() -> None:
    """The review's cases: each was accepted, and one signer made a quorum of two, or the operator its own."""
    other = Signer("w1.example", 4, seed=b"another")
    itself, named = rename(Signer(LOG.name, 4)), Signer(LOG.name, 4, seed=b"another").vkey
    for line, said in (
        (f"witness four {other.vkey}", "second key of the witness 'w1.example'"),
        (f"witness four {itself}", "same public key"),
        (f"witness four {named}", "is a log"),
        (f"log {Signer('w1.example', seed=b'another').vkey}", "is a witness"),
    ):
        with pytest.raises(CannotCheck, match=said):
            parse_policy(POLICY.replace("group most", f"{line}\ngroup most").encode())


def test_a_log_whose_key_was_exchanged_has_two() -> None:
    assert len(parse_policy((f"log {Signer(LOG.name, seed=b'retired').vkey}\n" + POLICY).encode()).logs) == 2


def ml_dsa(name: str, length: int = 1_312) -> str:
    data = b"\x06" + b"k" * length
    identity = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    return f"{name}+{identity.hex()}+{base64.b64encode(data).decode()}"


def test_a_witness_with_an_ml_dsa_key_is_understood_and_not_counted() -> None:
    vkey = ml_dsa("w4.example")
    text = POLICY.replace("group most 2", f"witness four {vkey}\ngroup most 2").replace(
        "one two three", "one two three four"
    )
    policy = parse_policy(text.encode())
    assert (policy.uncounted, "four" in policy.witnesses) == (("four",), False)
    assert not policy.is_satisfied(["one", "four"])
    assert policy.is_satisfied(["one", "two"])
    assert policy.verify(note(W1, W2), BACKEND).witnessed
    alone = parse_policy(f"log {LOG.vkey}\nwitness four {vkey}\nquorum four\n".encode())
    assert not alone.verify(note(), BACKEND).witnessed
    wrong = vkey.replace("w4.example+", "w4.example+0", 1)
    for bad in (wrong, ml_dsa("w4.example", length=1_311), ml_dsa("w4.example", length=32)):
        with pytest.raises(CannotCheck):
            parse_policy(text.replace(vkey, bad).encode())
    with pytest.raises(CannotCheck, match="second key of the witness"):
        parse_policy(text.replace(vkey, ml_dsa("w1.example")).encode())


def test_a_cosignature_of_an_ml_dsa_key_beside_the_others_is_passed_over() -> None:
    line = "\u2014 w4.example " + base64.b64encode(b"idid" + bytes(8) + b"s" * 2_420).decode() + "\n"
    found = parse_policy(POLICY.encode()).verify(note(W1, W2) + line.encode(), BACKEND)
    assert found.witnessed
    assert found.witnesses == ("one", "two")


def trust(**change: Any) -> bytes:
    members = {
        "v": 1,
        "version": 3,
        "expires": 2_000_000_000_000,
        "policy": POLICY,
        "rp_ids": ["bank.example"],
        "origins": ["https://bank.example"],
        "keys": [
            {"vkey": LOG.vkey, "valid_from_size": 0, "valid_to_size": 7},
            {"vkey": W1.vkey, "valid_from_size": 8, "valid_to_size": None},
        ],
    }
    return json.dumps({**members, **change}).encode()


def test_s09_keys_count_only_within_their_interval() -> None:
    usable: Trust = parse_trust(trust())
    assert usable.verify(note(W2, W3), BACKEND).level is Code.VALID
    assert usable.verify(note(W1, W2), BACKEND).level is Code.VALID_UNWITNESSED
    retired = parse_trust(trust(keys=[{"vkey": LOG.vkey, "valid_from_size": 0, "valid_to_size": 6}]))
    with refusal(Code.POLICY_REJECTED):
        retired.verify(note(W2, W3), BACKEND)
    bare = parse_trust(POLICY.encode())
    assert bare.verify(note(W1, W2), BACKEND).level is Code.VALID
    assert not bare.rp_ids


def test_a_trust_file_expires() -> None:
    usable = parse_trust(trust())
    usable.check_current(1_999_999_999_999)
    with pytest.raises(CannotCheck):
        usable.check_current(2_000_000_000_000)


@pytest.mark.parametrize(
    "data",
    [
        trust(more=1),
        trust(v=2),
        trust(version="3"),
        trust(policy="quorum none"),
        trust(keys={}),
        trust(keys=[1]),
        trust(keys=[{"vkey": W1.vkey}]),
        trust(keys=[{"vkey": "x", "valid_from_size": 0, "valid_to_size": None}]),
        trust(keys=[{"vkey": W1.vkey, "valid_from_size": 5, "valid_to_size": 4}]),
        trust(keys=[{"vkey": W1.vkey, "valid_from_size": 5, "valid_to_size": 5}] * 2),
        trust(rp_ids="bank.example"),
        trust(origins=[1]),
        trust(expires=1.5),
        trust().replace(b'"v": 1', b'"v": 1, "v": 1'),
        b"{",
        trust()[:-1],
    ],
)
def test_a_trust_file_that_is_not_one_cannot_be_used(data: bytes) -> None:
    with pytest.raises(CannotCheck):
        parse_trust(data)


# --- proofs ---------------------------------------------------------------------------------------------------


def proof(index: int = 3, **change: Any) -> Proof:
    members = {"index": index, "path": tuple(inclusion_path(3, LEAVES)), "checkpoint": note(W1, W2)}
    return Proof(**{**members, **change})


def test_m01_m02_m03_m12_a_proof_is_for_one_entry_at_one_index() -> None:
    policy = parse_policy(POLICY.encode())
    good = proof()
    assert parse_proof(good.text()) == good
    assert parse_proof(proof(extra=b"salt").text()).extra == b"salt"
    assert verify_proof(good, b"\x03", policy, BACKEND).level is Code.VALID
    path = good.path
    bad = [
        proof(2),
        proof(4),
        proof(7),
        proof(2**62),
        proof(path=path[1:]),
        proof(path=(*path, path[0])),
        proof(path=path[::-1]),
        proof(path=()),
        proof(path=(path[1], path[0], *path[2:])),
        *(proof(path=(*path[:n], bytes([path[n][0] ^ 1]) + path[n][1:], *path[n + 1 :])) for n in range(3)),
    ]
    for other in bad:
        with refusal(Code.BAD_PROOF):
            verify_proof(parse_proof(other.text()), b"\x03", policy, BACKEND)
    inner = merkle.hash_node(LEAVES[2], LEAVES[3])
    with refusal(Code.BAD_PROOF):  # an inner node's preimage offered as an entry
        verify_proof(proof(1, path=path[1:]), b"\x01" + LEAVES[2] + LEAVES[3], policy, BACKEND)
    assert inner != merkle.hash_leaf(LEAVES[2] + LEAVES[3])
