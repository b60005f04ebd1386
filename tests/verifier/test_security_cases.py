"""Cases of the catalogue of attacks that need a log of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verifier.auditing import audit
from tests.verifier.forge import World, b64u, chain_of, map_root
from tests.verifier.making import Signer, refusal
from verifier.errors import CannotCheck, Code
from verifier.rules.findings import Findings
from verifier.rules.matching import Matching
from verifier.tlog.checkpoint import parse_checkpoint
from verifier.tlog.policy import MAX_LINES, MAX_POLICY, parse_policy


def test_c08_a_map_that_goes_back_to_an_earlier_count_is_refuted(tmp_path: Path) -> None:
    """The ledger signs a map in which a consent has fewer events than it has: to show its customer an older state."""
    world = World(5).open()
    consent = world.grant()
    chain = chain_of(consent)
    earlier = world.chains[chain]
    revocation = world.revoke(consent)
    pairs = {name: (seq + 1).to_bytes(8) + head for name, (seq, head) in (world.chains | {chain: earlier}).items()}
    world.bend = lambda leaf: leaf.update(map_root=b64u(map_root(pairs))) if leaf["kind"] == "index-head" else None
    head = world.index_head()
    found = audit(world.files(), world, tmp_path).findings
    assert [(defect.code, defect.place.index) for defect in found.defects] == [(Code.BAD_PROOF, head)]
    assert head == revocation + 1


def test_w04_a_gesture_counts_for_one_consent_only() -> None:
    matching, findings = Matching(), Findings()
    for challenge, index in ((b"a" * 32, 4), (b"b" * 32, 5), (b"a" * 32, 9)):
        matching.put_challenge(challenge, index)
    matching.finish(findings, {}, True, 0)
    matching.close()
    [defect] = findings.defects
    assert (defect.code, defect.place.index, defect.found) == (Code.CONSENT_INVALID, 9, "that of entry 4")


def _policy(lines: int, size: int) -> bytes:
    """A policy of so many lines and bytes: one log, no quorum, and comments."""
    text = f"log {Signer('ledger.example/test').vkey}\nquorum none\n".encode() + b"#\n" * (lines - 2)
    return text[:-1] + b"#" * (size - len(text)) + b"\n"


def test_a_policy_is_bounded_to_the_byte_and_to_the_line() -> None:
    assert parse_policy(_policy(3, MAX_POLICY)).quorum == "none"
    assert len(_policy(3, MAX_POLICY)) == MAX_POLICY == 262_144
    assert parse_policy(_policy(MAX_LINES, 20_000)).quorum == "none"
    assert MAX_LINES == 4_096
    for data in (_policy(3, MAX_POLICY + 1), _policy(MAX_LINES + 1, 20_000)):
        with pytest.raises(CannotCheck, match="too long"):
            parse_policy(data)


def test_a_checkpoint_in_another_spelling_or_not_in_utf_8_is_bad_encoding() -> None:
    root = b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert parse_checkpoint(b"log.example\n0\n" + root + b"\n").size == 0
    for body in (b"log.\xff\n0\n" + root + b"\n", b"log.example\n0\n" + root + b"\n\xff\n"):
        with refusal(Code.BAD_ENCODING):
            parse_checkpoint(body)


LOG, W1, W2 = Signer("ledger.example/test"), Signer("w1.example", 4), Signer("w2.example", 4)
BEGUN = f"log {LOG.vkey}\nwitness one {W1.vkey}\ngroup both any one\n"


@pytest.mark.parametrize("byte", [0x01, 0x0B, 0x0D, 0x1E, 0x1F, 0x7F])
def test_a_policy_with_a_control_character_is_refused(byte: int) -> None:
    with pytest.raises(CannotCheck, match="control character"):
        parse_policy(BEGUN.encode() + b"quorum both\n# " + bytes([byte]) + b"\n")


@pytest.mark.parametrize("byte", [0x09, 0x20, 0x3F, 0x7E, 0x80])
def test_a_policy_with_any_other_byte_in_a_comment_is_one(byte: int) -> None:
    assert parse_policy(BEGUN.encode() + b"quorum both\n# " + bytes([byte]) + b"\n").quorum == "both"


@pytest.mark.parametrize("name", ["none", "one", "both"])
@pytest.mark.parametrize("line", ["witness {name} {key}", "group {name} any one"])
def test_a_name_of_a_policy_that_is_taken_is_not_taken_again(name: str, line: str) -> None:
    with pytest.raises(CannotCheck, match=rf"policy line 4: the name '{name}' is taken"):
        parse_policy((BEGUN + line.format(name=name, key=W2.vkey) + "\nquorum both\n").encode())


def test_a_policy_that_is_refused_names_its_line() -> None:
    for line, said in (("witness two " + W2.vkey[:-4] + "!!!!", "not base64"), ("group all-of-it x one", "decimal")):
        with pytest.raises(CannotCheck, match=rf"policy line 4: .*{said}"):
            parse_policy((BEGUN + line + "\nquorum both\n").encode())
    with pytest.raises(CannotCheck, match="key name is not UTF-8"):
        parse_policy(b"log \xff+00000000+AAAA\nquorum none\n")
    with pytest.raises(CannotCheck, match="quorum"):
        parse_policy(b"")
