"""Keys in Google Cloud KMS, against a server that speaks the documented REST API (tests/custody/google.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.client import google_kms
from api.client.crc32c import crc32c
from api.client.google_kms import MOST_SIGNED
from api.node.founding import KeyPlaces, initialise
from api.node.settings import Settings
from ledger.custody.held import HeldAlgorithm, jwk_of
from ledger.custody.log_key import make_log_key, read_signer
from ledger.custody.places import held_key, make_held_key, make_wrapping_key, place_of, wrapping_key
from ledger.entries.keys import verifier_of
from ledger.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from tests.custody.google import RING, GoogleKms, running_google
from tests.custody.service import after_an_outage, all_keys_are_usable


@pytest.fixture
def kms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleKms]:
    with running_google() as running:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(running.credentials(tmp_path / "account.json")))
        yield running


def test_the_checksum_is_the_one_of_the_rfc() -> None:
    """RFC 3720, appendix B.4."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize("alg", ["EdDSA", "ES256"])
def test_a_key_made_there_signs_also_after_newer_versions_came(kms: GoogleKms, alg: HeldAlgorithm) -> None:
    made = make_held_key(kms.uri("key"), alg)
    for _ in range(4):
        kms.rotate("key")
    pinned = held_key(kms.uri("key"), alg, made.public)
    for key in (made, pinned):
        verifier_of(alg, jwk_of(alg, made.public))(b"message", key.sign(b"message"))
        key.probe()
    newest = held_key(kms.uri("key"), alg)
    assert newest.public != made.public
    uri = kms.uri("key").replace("/cryptoKeys/key?", "/cryptoKeys/key/cryptoKeyVersions/5?")
    assert held_key(uri, alg).public == newest.public
    with pytest.raises(Conflict, match="never overwritten"):
        make_held_key(kms.uri("key"), alg)


def test_a_key_that_the_service_takes_a_while_to_make_is_waited_for(
    kms: GoogleKms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(google_kms, "_PAUSE_SECONDS", 0)
    kms.slow = 5
    key = make_held_key(kms.uri("key"), "EdDSA")
    verifier_of("EdDSA", jwk_of("EdDSA", key.public))(b"message", key.sign(b"message"))
    kms.slow = 10**6
    with pytest.raises(Unavailable, match="still making"):
        make_log_key(tmp_path / "log.key", "ledger.example/1", kms.uri("log"))
    kms.keys["log"][0].still = 0
    vkey = make_log_key(tmp_path / "log.key", "ledger.example/1", kms.uri("log"))
    vkey.verify(b"text\n", read_signer(tmp_path / "log.key").sign(b"text\n"))


def test_a_version_that_was_disabled_is_told_and_no_other_signs_for_it(kms: GoogleKms) -> None:
    used = make_held_key(kms.uri("key"), "EdDSA")
    kms.rotate("key")
    kms.keys["key"][0].state = "DISABLED"
    with pytest.raises(Unavailable, match="FAILED_PRECONDITION"):
        used.sign(b"message")
    with pytest.raises(Unavailable, match="DISABLED"):
        used.probe()
    with pytest.raises(InvalidInput, match="enable it again"):
        held_key(kms.uri("key"), "EdDSA", used.public).sign(b"message")
    kms.keys["key"][0].state = "ENABLED"
    used.sign(b"message")


def test_a_wrap_opens_after_a_rotation_but_not_with_a_changed_byte_or_place(kms: GoogleKms) -> None:
    wrapper = make_wrapping_key(kms.uri("kek"))
    sealed = wrapper.seal(b"d" * 32, b"here")
    kms.rotate("kek")
    assert wrapping_key(kms.uri("kek")).open(sealed, b"here") == b"d" * 32
    other = make_wrapping_key(kms.uri("other"))
    for key, bad, place in (
        (wrapper, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"here"),
        (wrapper, sealed, b"there"),
        (wrapper, b"", b"here"),
        (other, sealed, b"here"),
    ):
        with pytest.raises(Corrupt, match="does not decrypt"):
            key.open(bad, place)
    wrapper.probe()


@pytest.mark.parametrize("member", ["signature", "ciphertext", "plaintext"])
def test_an_answer_that_was_changed_on_its_way_is_not_believed(kms: GoogleKms, member: str) -> None:
    key, wrapper = make_held_key(kms.uri("key"), "EdDSA"), make_wrapping_key(kms.uri("kek"))
    sealed = wrapper.seal(b"d" * 32, b"here")
    kms.altered = member
    work = {
        "signature": lambda: key.sign(b"message"),
        "ciphertext": lambda: wrapper.seal(b"d" * 32, b"here"),
        "plaintext": lambda: wrapper.open(sealed, b"here"),
    }[member]
    with pytest.raises(Unavailable, match="changed on its way"):
        work()


def test_a_key_of_another_kind_is_refused_by_its_kind(kms: GoogleKms) -> None:
    make_held_key(kms.uri("p256"), "ES256")
    make_wrapping_key(kms.uri("kek"))
    with pytest.raises(InvalidInput, match="EC_SIGN_P256_SHA256, not EC_SIGN_ED25519"):
        held_key(kms.uri("p256"), "EdDSA")
    with pytest.raises(InvalidInput, match="INVALID_ARGUMENT"):
        held_key(kms.uri("kek"), "EdDSA")
    with pytest.raises(Unavailable, match="FAILED_PRECONDITION"):
        wrapping_key(kms.uri("p256")).seal(b"d" * 32, b"here")


def test_a_message_that_is_too_long_for_the_service_is_refused_before_it_is_sent(kms: GoogleKms) -> None:
    key = make_held_key(kms.uri("key"), "EdDSA")
    kms.asked.clear()
    with pytest.raises(InvalidInput, match=r"at most 65536 bytes.*ES256"):
        key.sign(b"m" * (MOST_SIGNED + 1))
    assert kms.asked == []


@pytest.mark.parametrize(("status", "code"), [(503, "UNAVAILABLE"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL")])
def test_a_service_in_trouble_is_told_and_waited_for(kms: GoogleKms, tmp_path: Path, status: int, code: str) -> None:
    make_log_key(tmp_path / "log.key", "ledger.example/1", kms.uri("log"))
    signer = read_signer(tmp_path / "log.key")
    kms.trouble = status, code
    with pytest.raises(Unavailable, match=code):
        signer.sign(b"text\n")
    with pytest.raises(Unavailable, match=code):
        signer.probe()
    kms.trouble = None
    signer.vkey.verify(b"text\n", signer.sign(b"text\n"))


def test_a_token_that_ended_early_is_asked_for_again_and_somebody_who_may_not_is_refused(
    kms: GoogleKms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_held_key(kms.uri("key"), "EdDSA")
    kms.revoked = True
    key.sign(b"message")
    kms.trouble = 403, "PERMISSION_DENIED"
    with pytest.raises(InvalidInput, match="403 PERMISSION_DENIED"):
        key.sign(b"message")
    kms.trouble = None
    with pytest.raises(NotFound):
        held_key(kms.uri("none"), "EdDSA")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    with pytest.raises(InvalidInput, match="no credentials for Google Cloud"):
        held_key(kms.uri("key"), "EdDSA")


def test_a_new_key_may_be_in_hardware_and_needs_its_ring(kms: GoogleKms) -> None:
    make_held_key(kms.uri("key", "&protection=HSM"), "EdDSA")
    elsewhere = kms.uri("key").replace("keyRings/ledger", "keyRings/none")
    with pytest.raises(NotFound, match="keyRings/none"):
        make_held_key(elsewhere, "EdDSA")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("gcpkms:projects/p", "reads gcpkms"),
        (f"gcpkms:{RING}/cryptoKeys/k/cryptoKeyVersions/x", "reads gcpkms"),
        (f"gcpkms:{RING}/cryptoKeys/../k", "reads gcpkms"),
        (f"gcpkms:{RING}/cryptoKeys/k?protection=SOFT", "SOFTWARE or HSM"),
        (f"gcpkms:{RING}/cryptoKeys/k?key=x", "unknown here"),
        (f"gcpkms:{RING}/cryptoKeys/k?endpoint=http://kms.example", "https"),
        (f"gcpkms:{RING}/cryptoKeys/k?endpoint=https://kms.example/path", "HOST"),
        (f"gcpkms:{RING}/cryptoKeys/k?", ""),
    ],
)
def test_an_invalid_uri_is_refused_with_what_is_wrong_with_it(uri: str, said: str) -> None:
    assert place_of(uri) == uri
    if not said:
        wrapping_key(uri)
        return
    with pytest.raises(InvalidInput, match=said):
        wrapping_key(uri)


def test_a_log_in_google_kms_loses_nothing_when_the_service_ends_in_the_middle_of_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(state_dir=tmp_path / "state", index_interval_ms=0)
    with running_google() as kms:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(kms.credentials(tmp_path / "account.json")))
        places = KeyPlaces(*(kms.uri(name) for name in ("log", "kek", "token", "event")))
        initialise(settings, "ledger.example/google", places)
    with after_an_outage(settings, lambda: running_google(kms), "Google Cloud") as run:
        run("kek", "rotate", "--to", kms.uri("kek-2"))
        assert all_keys_are_usable(run)
