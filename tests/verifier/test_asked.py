"""What the commands ask for: files and standard input up to a bound, trust that has not expired."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import time
from pathlib import Path

import pytest

from tests.verifier.making import BACKEND, Signer, checkpoint_note
from verifier.errors import CannotCheck
from verifier.inputs import fresh, head_facts, now, read_file, trust_of
from verifier.tlog.trust import parse_trust

POLICY = f"log {Signer('ledger.example/test').vkey}\nquorum none\n"


@pytest.mark.parametrize("given", ["file", "-"])
def test_an_input_has_at_most_four_million_bytes_and_is_noted_by_its_hash(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for length in (4_000_000, 4_000_001):
        data = b"x" * length
        path = given if given == "-" else str(tmp_path / given)
        if given == "-":
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        else:
            Path(path).write_bytes(data)
        result = fresh("proof")
        if length == 4_000_000:
            assert read_file(path, result) == data
            assert result.inputs == [(path, hashlib.sha256(data).hexdigest())]
        else:
            with pytest.raises(CannotCheck, match="longer than 4000000 bytes"):
                read_file(path, result)


def test_a_missing_input_cannot_be_checked(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(CannotCheck, match=r"cannot be read|not a regular file"):
            read_file(str(path), fresh("proof"))


def test_the_time_is_in_milliseconds() -> None:
    assert abs(now() - time.time() * 1_000) < 60_000


def test_trust_is_named_and_has_not_expired(tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="a policy is needed"):
        trust_of(argparse.Namespace(policy=None), fresh("proof"))
    members = {"v": 1, "version": 1, "policy": POLICY, "rp_ids": [], "origins": [], "keys": []}
    for expires, accepted in ((now() + 3_600_000, True), (now() - 1, False)):
        (tmp_path / "trust").write_text(json.dumps({**members, "expires": expires}))
        arguments = argparse.Namespace(policy=str(tmp_path / "trust"))
        if accepted:
            assert trust_of(arguments, fresh("proof")).version == 1
        else:
            with pytest.raises(CannotCheck, match="expired"):
                trust_of(arguments, fresh("proof"))


def test_the_witnesses_of_a_checkpoint_are_named_or_said_to_be_none() -> None:
    log, witness = Signer("ledger.example/test"), Signer("w1.example", 4)
    policy = f"log {log.vkey}\nwitness first {witness.vkey}\nquorum first\n"
    trust = parse_trust(policy.encode())
    for signers, told in (((witness,), "first ("), ((), "none (")):
        result = fresh("proof")
        head_facts(result, trust.verify(checkpoint_note(log, [bytes(32)], *signers), BACKEND), trust, "en")
        assert [what[: len(told)] for _, what in result.facts][-1] == told
