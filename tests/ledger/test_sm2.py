"""SM2 keys of statements (docs/spec/ruleset-3.md, 8): checked as the standards do, recorded, replayed, refused when altered."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.documents import key_added, registration
from ledger.entries.keys import verifier_of
from ledger.entries.sm2 import sm2_verifier
from ledger.errors import BadSignature, IllegalTransition, InvalidInput
from tests.keys import KeyPair
from tests.vectors.signing_sm2 import N, P, Sm2
from tests.world import running, running_world
from verifier.cli import main as consent_verify

EXAMPLE = Sm2("", 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8)
"""GB/T 32918.5-2017, A.2: the private key; public key and signature below are that example's, too."""


def test_the_example_of_the_standard_verifies() -> None:
    assert EXAMPLE.x.hex().upper() == "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    assert EXAMPLE.y.hex().upper() == "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
    signature = bytes.fromhex(
        "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
        "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
    )
    verify = verifier_of("SM2", EXAMPLE.jwk)
    verify(b"message digest", signature)
    with pytest.raises(BadSignature):
        verify(b"message digest.", signature)


def test_a_signature_of_anybody_verifies_and_no_changed_one_does() -> None:
    dice = random.Random(8)
    for number in range(12):
        key = Sm2(f"some {number}")
        verify, message = verifier_of("SM2", key.jwk), dice.randbytes(dice.randrange(200))
        signature = key.sign(message)
        verify(message, signature)
        for _ in range(6):
            bit = dice.randrange(512)
            changed = bytearray(signature)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(BadSignature):
                verify(message, bytes(changed))
        with pytest.raises(BadSignature):
            verify(message, key.sign(message, name=b"another identity"))
        with pytest.raises(BadSignature):
            verifier_of("SM2", Sm2("another").jwk)(message, signature)


def test_numbers_of_a_signature_are_within_the_group() -> None:
    key = Sm2("bounds")
    verify, signature = verifier_of("SM2", key.jwk), key.sign(b"said")
    r, s = signature[:32], signature[32:]
    wrong = [
        signature[:63],
        signature + b"\0",
        b"",
        bytes(32) + s,
        r + bytes(32),
        N.to_bytes(32) + s,
        r + N.to_bytes(32),
        r + (N - int.from_bytes(r)).to_bytes(32),  # t = 0
    ]
    for each in wrong:
        with pytest.raises(BadSignature):
            verify(b"said", each)


def test_a_point_off_the_curve_is_no_key() -> None:
    x, y = int.from_bytes(EXAMPLE.x), int.from_bytes(EXAMPLE.y)
    sm2_verifier(x, P - y)
    for wrong in ((x, y + 1), (0, 0), (x, y + P), (x + P, y), (x, P)):
        with pytest.raises(InvalidInput):
            sm2_verifier(*wrong)
    for changes in ({"crv": "P-256"}, {"kty": "OKP"}, {"d": EXAMPLE.jwk["x"]}, {"x": EXAMPLE.jwk["x"][:-2]}):
        with pytest.raises(InvalidInput):
            verifier_of("SM2", {**EXAMPLE.jwk, **changes})


def test_a_consent_and_an_access_signed_with_sm2_are_recorded_and_audited(engine_url: str, tmp_path: Path) -> None:
    with running_world(engine_url, tmp_path) as world:
        bank, app = world.holder(alg="SM2"), world.recipient(alg="SM2")
        consent = world.active_consent(app, bank)
        [allowed] = world.record(app.access(consent))
        assert allowed.outcome is not None
        text = json.loads(app.access(consent).body)["statement"]
        head, payload, signature = text.split(".")
        with pytest.raises(BadSignature):
            world.ledger.record(f"{head}.{payload}.{'A' * 8}{signature[8:]}")
        target = DirectoryTarget(tmp_path / "bundle")
        export_bundle(world.ledger.store, world.ledger.keystore, world.ledger.vkey, target, disclose=Disclose.full())
        policy = tmp_path / "policy"
        policy.write_text(f"log {world.ledger.vkey.format()}\nquorum none\n")
    assert consent_verify(["bundle", str(tmp_path / "bundle"), "--policy", str(policy), "--jobs", "1"]) == 0


def test_an_sm2_key_signs_statements_from_ruleset_3_on(tmp_path: Path) -> None:
    key = KeyPair.generate("SM2", "new-bank-1")
    documents = (
        registration("new-bank", "Bank", ["holder"]),
        key_added("new-bank", key.kid, "SM2", "statement", key.jwk),
    )
    with (
        running(f"sqlite:///{tmp_path / 'early.sqlite'}", tmp_path, ruleset=2) as node,
        pytest.raises(IllegalTransition, match="ruleset 3"),
    ):
        node.ledger.record_documents(*documents)
    (tmp_path / "now").mkdir()
    with running(f"sqlite:///{tmp_path / 'now.sqlite'}", tmp_path / "now") as node:
        with pytest.raises(InvalidInput, match="client use"):
            node.ledger.record_documents(documents[0], key_added("new-bank", key.kid, "SM2", "client", key.jwk))
        node.ledger.record_documents(*documents)
