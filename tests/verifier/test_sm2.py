"""SM2 with SM3: the standards' own examples, OpenSSL's answers, what is refused, and logs signed with it
(GB/T 32918.2-2016, GB/T 32905-2016; docs/spec/ruleset-3.md, 8)."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vectors.signing import der
from tests.vectors.signing_sm2 import G, N, P, Sm2
from tests.verifier.forge import RECIPIENT, Json, Signer, b64u, encode, write
from tests.verifier.making import refusal
from tests.verifier.replaying import replayed, told
from tests.verifier.running import run
from tests.verifier.supervised import Supervised
from verifier.crypto import p256, sm2, sm3
from verifier.crypto.backend import select
from verifier.crypto.keys import Sm2Key, parse_cose_key, parse_jwk
from verifier.errors import Code

SECRET = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
NONCE = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
EXAMPLE = Sm2("", SECRET)
"""The signer of GB/T 32918.5-2017, annex A.2."""
SIGNATURE = bytes.fromhex(
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)
OPENSSL = shutil.which("openssl")
ROOT = Path(__file__).resolve().parents[2]


def accepts(key: Sm2, message: bytes, signature: bytes) -> None:
    select("pure").verify(parse_jwk(key.jwk), message, signature)


@pytest.mark.parametrize("digest", [sm3.digest, sm3.pure])
def test_sm3_of_the_standards_examples(digest: object) -> None:
    assert callable(digest)
    assert digest(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert digest(b"abcd" * 16).hex() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"


def test_sm3_without_openssl_is_openssls(monkeypatch: pytest.MonkeyPatch) -> None:
    for length in (*range(130), 5_000):
        message = bytes(n * 7 & 0xFF for n in range(length))
        assert sm3.pure(message) == hashlib.new("sm3", message).digest()

    def refuse(*_: object) -> None:
        raise ValueError("unsupported hash type sm3")

    monkeypatch.setattr(hashlib, "new", refuse)
    assert sm3.digest(b"abc") == sm3.pure(b"abc")


def test_the_standards_signature_verifies_and_no_other() -> None:
    """Z and the signature of GB/T 32918.5-2017, A.2, of «message digest»."""
    assert EXAMPLE.identity().hex() == "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
    assert EXAMPLE.sign(b"message digest", NONCE) == SIGNATURE
    accepts(EXAMPLE, b"message digest", SIGNATURE)
    r, s = SIGNATURE[:32], SIGNATURE[32:]
    negative = (N - int.from_bytes(s)).to_bytes(32)
    for wrong in (
        r + negative,
        s + r,
        bytes(32) + s,
        r + bytes(32),
        N.to_bytes(32) + s,
        r + N.to_bytes(32),
        SIGNATURE[:-1],
        SIGNATURE + b"\0",
        b"",
        r + (N - int.from_bytes(r)).to_bytes(32),
        der(int.from_bytes(r), int.from_bytes(s)),
        *(
            bytes(byte ^ (1 << bit % 8) * (at == bit // 8) for at, byte in enumerate(SIGNATURE))
            for bit in range(0, 512, 37)
        ),
    ):
        with refusal(Code.BAD_SIGNATURE):
            accepts(EXAMPLE, b"message digest", wrong)
    with refusal(Code.BAD_SIGNATURE):
        accepts(EXAMPLE, b"message digest.", SIGNATURE)
    with refusal(Code.BAD_SIGNATURE):
        accepts(Sm2("another"), b"message digest", SIGNATURE)
    with refusal(Code.BAD_SIGNATURE):
        accepts(EXAMPLE, b"m", EXAMPLE.sign(b"m", name=b"ALICE123@YAHOO.COM"))


def test_a_signature_whose_sum_is_infinity_is_refused() -> None:
    """s·G + t·P = 0 for s = -t·d: nothing may be asked of such a point."""
    t = 7
    s = -t * SECRET % N
    with refusal(Code.BAD_SIGNATURE):
        sm2.verify(
            int.from_bytes(EXAMPLE.x), int.from_bytes(EXAMPLE.y), b"m", ((t - s) % N).to_bytes(32) + s.to_bytes(32)
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"x": b64u(bytes(32)), "y": b64u(bytes(32))},
        {"y": b64u((int.from_bytes(EXAMPLE.y) ^ 1).to_bytes(32))},
        {"x": b64u((G[0] + 1).to_bytes(32)), "y": b64u(G[1].to_bytes(32))},
        {"x": b64u(P.to_bytes(32))},
        {"x": b64u(p256.CURVE.base[0].to_bytes(32)), "y": b64u(p256.CURVE.base[1].to_bytes(32))},
    ],
)
def test_a_point_off_the_curve_or_at_infinity_is_no_key(changes: Json) -> None:
    with refusal(Code.BAD_SIGNATURE):
        parse_jwk({**EXAMPLE.jwk, **changes})


def test_a_coordinate_has_one_spelling() -> None:
    key = parse_jwk(EXAMPLE.jwk)
    assert (key, key.alg) == (Sm2Key(int.from_bytes(EXAMPLE.x), int.from_bytes(EXAMPLE.y)), "SM2")
    for changes in ({"x": b64u(EXAMPLE.x[:-1])}, {"x": b64u(EXAMPLE.x + b"\0")}, {"more": 1}, {"crv": "P-256K"}):
        with refusal(Code.BAD_ENCODING):
            parse_jwk({**EXAMPLE.jwk, **changes})  # type: ignore[dict-item]
    with refusal(Code.BAD_SIGNATURE):  # as a point of the other curve
        parse_jwk({**EXAMPLE.jwk, "crv": "P-256"})
    with refusal(Code.BAD_ENCODING):  # passkeys know no SM2
        parse_cose_key(bytes.fromhex("a5010203262001215820") + EXAMPLE.x + b"\x22\x58\x20" + EXAMPLE.y[:-1])


@pytest.mark.skipif(OPENSSL is None, reason="the openssl program is not here")
def test_openssl_signs_what_verifies_and_verifies_what_the_vectors_sign(tmp_path: Path) -> None:
    def openssl(*words: object) -> bytes:
        answer = subprocess.run([str(OPENSSL), *map(str, words)], cwd=tmp_path, capture_output=True, check=False)
        if answer.returncode and b"SM2" in answer.stderr + b"SM2" and "genpkey" in words:
            pytest.skip("this OpenSSL has no SM2")
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", "key")
    text = openssl("pkey", "-in", "key", "-text", "-noout").decode()
    digits = "".join(text.partition("pub:")[2].partition("ASN1")[0].split()).replace(":", "")
    point = bytes.fromhex(digits)
    assert point[0] == 4
    for length in (1, 100, 3_000):
        message = bytes(length)
        (tmp_path / "message").write_bytes(message)
        how = ("-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678", "-inkey", "key", "-in", "message")
        openssl("pkeyutl", "-sign", *how, "-out", "signature")
        raw = p256.raw_from_der((tmp_path / "signature").read_bytes())
        sm2.verify(int.from_bytes(point[1:33]), int.from_bytes(point[33:]), message, raw)
    spki = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004") + EXAMPLE.x + EXAMPLE.y
    (tmp_path / "public").write_bytes(spki)
    r, s = (int.from_bytes(part) for part in (SIGNATURE[:32], SIGNATURE[32:]))
    (tmp_path / "signature").write_bytes(der(r, s))
    (tmp_path / "message").write_bytes(b"message digest")
    how = ("-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678", "-pubin", "-keyform", "DER")
    openssl("pkeyutl", "-verify", *how, "-inkey", "public", "-in", "message", "-sigfile", "signature")


# --- logs -----------------------------------------------------------------------------------------------------


class Sm2Signer(Signer):
    """A participant's key of SM2."""

    def __init__(self, kid: str, owner: str) -> None:
        super().__init__(kid, owner)
        self.sm2 = Sm2(kid)

    @property
    def jwk(self) -> Json:
        return self.sm2.jwk

    def sign(self, payload: Json, header: Json | None = None) -> str:
        top = {"alg": "SM2", "kid": self.kid, "typ": "consent-statement+jwt", **(header or {})}
        signed = b64u(encode(top)) + "." + b64u(encode(payload))
        return signed + "." + b64u(self.sm2.sign(signed.encode()))


def signing(world: Supervised, **changes: str) -> int:
    """The recipient signs with SM2 from now on."""
    signer = Sm2Signer("app.example.sm2", RECIPIENT)
    world.signers[RECIPIENT] = signer
    members = {"kid": signer.kid, "alg": "SM2", "use": "statement", "jwk": signer.jwk, **changes}
    return world.operator({"type": "key.added", "participant": RECIPIENT, **members})


@pytest.mark.parametrize("backend", ["auto", "pure", "cryptography"])
def test_a_consent_and_an_access_signed_with_sm2_are_replayed(
    backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENT_VERIFY_CRYPTO", backend)
    wrong = _signed_with_sm2(tmp_path)
    status, events = run(capsys, "bundle", tmp_path / "bundle", "--policy", tmp_path / "policy", "--jobs", 1)
    found = [(event["code"], event["index"]) for event in events if event["event"] == "defect"]
    assert (status, found) == (1, [("BAD_SIGNATURE", wrong)])


def test_the_single_file_replays_them_and_refuses_what_was_altered(tmp_path: Path) -> None:
    wrong, pyz = _signed_with_sm2(tmp_path), tmp_path / "consent-verify.pyz"
    subprocess.run([sys.executable, ROOT / "scripts" / "build-zipapp", pyz], check=True, capture_output=True)
    command = [sys.executable, "-I", "-S", pyz, "bundle", tmp_path / "bundle", "--policy", tmp_path / "policy"]
    done = subprocess.run([*command, "--json", "--jobs", "1"], capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    found = [(event["code"], event["index"]) for event in events if event["event"] == "defect"]
    assert (done.returncode, found) == (1, [("BAD_SIGNATURE", wrong)]), done.stderr


def _signed_with_sm2(place: Path) -> int:
    """A bundle with a consent and an access that SM2 signed, and one access whose signature is another's: its index."""
    world = Supervised(3).begun()
    signing(world)
    world.access(world.grant())
    altered = world.request()
    payload = world.payload(RECIPIENT, "access.request", **world.item(altered))
    jws = world.signers[RECIPIENT].sign({**payload, "to": 5})
    word = ".".join([*world.signers[RECIPIENT].sign(payload).split(".")[:2], jws.split(".")[2]])
    wrong = world.submit(payload, world.decide(RECIPIENT, payload), jws=word)
    write(world.files(), place / "bundle")
    (place / "policy").write_text(world.policy())
    return wrong


def test_sm2_exists_from_ruleset_3_on() -> None:
    world = Supervised(3, 2).begun()
    key = signing(world)
    request = len(world.entries)
    consent = world.grant()
    access = world.access(consent)
    defects = {row[:2] for row in told(replayed(world))}
    assert defects == {(Code.CONSENT_INVALID, index) for index in (key, request, access)}


def test_the_header_names_the_algorithm_of_the_key() -> None:
    world = Supervised(3).begun()
    signing(world)
    consent = world.request()
    payload = world.payload(RECIPIENT, "access.request", **world.item(consent))
    word = world.signers[RECIPIENT].sign(payload, {"alg": "ES256"})
    wrong = world.submit(payload, world.decide(RECIPIENT, payload), jws=word)
    assert [row[:2] for row in told(replayed(world))] == [(Code.BAD_SIGNATURE, wrong)]
