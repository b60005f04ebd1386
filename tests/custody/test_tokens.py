"""Keys in a token (SoftHSM2): they sign and wrap, are never read out, and a token that is away is told and waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.custody.held import jwk_of
from ledger.custody.log_key import make_log_key, read_signer
from ledger.custody.places import held_key, make_held_key, make_wrapping_key, wrapping_key
from ledger.entries.keys import verifier_of
from ledger.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from ledger.vault.cipher import Cipher
from tests.custody.softhsm import SoftToken

pytestmark = pytest.mark.hsm


@pytest.mark.parametrize("alg", ["EdDSA", "ES256"])
def test_a_key_made_in_a_token_signs_and_cannot_be_read_out(token: SoftToken, alg: str) -> None:
    made = make_held_key(token.uri("key"), alg)  # type: ignore[arg-type]
    verifier_of(alg, jwk_of(made.alg, made.public))(b"message", made.sign(b"message"))
    found = held_key(token.uri("key"), alg)  # type: ignore[arg-type]
    assert found.public == made.public

    import pkcs11

    library = pkcs11.lib(str(token.module))
    with library.get_token(token_label=token.label).open() as session:
        [private] = session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY})
        with pytest.raises(pkcs11.PKCS11Error):
            private[pkcs11.Attribute.VALUE]


def test_a_token_opens_its_own_wraps_but_not_with_a_changed_byte_or_place(token: SoftToken) -> None:
    wrapper = make_wrapping_key(token.uri("kek"))
    sealed = wrapper.seal(b"d" * 32, b"here")
    assert wrapping_key(token.uri("kek")).open(sealed, b"here") == b"d" * 32
    assert len(sealed) == len(Cipher(bytes(32)).seal(b"d" * 32, b"here")), "one stored form, wherever the key is"
    for bad, place in ((sealed[:-1] + bytes([sealed[-1] ^ 1]), b"here"), (sealed, b"there"), (b"", b"here")):
        with pytest.raises(Corrupt, match="does not decrypt"):
            wrapper.open(bad, place)
    assert wrapper.open(sealed, b"here") == b"d" * 32


def test_a_key_of_the_same_name_is_never_made_again(token: SoftToken) -> None:
    make_held_key(token.uri("key"), "EdDSA")
    with pytest.raises(Conflict, match="never overwritten"):
        make_held_key(token.uri("key"), "EdDSA")
    with pytest.raises(NotFound, match="'other'"):
        held_key(token.uri("other"), "EdDSA")


def test_a_log_key_that_is_in_the_token_already_is_taken(token: SoftToken, tmp_path: Path) -> None:
    made = make_held_key(token.uri("ceremony"), "EdDSA")
    vkey = make_log_key(tmp_path / "log.key", "ledger.example/1", token.uri("ceremony"))
    assert vkey.public_key == made.public
    signed = read_signer(tmp_path / "log.key").sign(b"text\n")
    Ed25519PublicKey.from_public_bytes(made.public).verify(signed, b"text\n")
    assert token.pin_file.read_text().strip() not in (tmp_path / "log.key").read_text()


def test_a_token_with_another_key_under_the_name_signs_nothing_that_leaves(token: SoftToken, tmp_path: Path) -> None:
    make_log_key(tmp_path / "log.key", "ledger.example/1", token.uri("log"))
    other = make_held_key(token.uri("other"), "EdDSA")
    text = (tmp_path / "log.key").read_text().replace("object=log", "object=other")
    (tmp_path / "log.key").write_text(text)
    with pytest.raises(Unavailable, match="another key than this log's"):
        read_signer(tmp_path / "log.key").sign(b"text\n")
    other.probe()


def test_a_token_that_is_away_is_told_with_the_cause_and_found_again(token: SoftToken) -> None:
    key, wrapper = make_held_key(token.uri("key"), "EdDSA"), make_wrapping_key(token.uri("kek"))
    sealed = wrapper.seal(b"d" * 32, b"here")
    with token.away():
        for asked in (key.probe, lambda: key.sign(b"m"), wrapper.probe, lambda: wrapper.open(sealed, b"here")):
            with pytest.raises(Unavailable, match=token.label):
                asked()
    assert wrapper.open(sealed, b"here") == b"d" * 32
    Ed25519PublicKey.from_public_bytes(key.public).verify(key.sign(b"m"), b"m")


def test_a_wrong_pin_is_tried_once_and_never_shown(token: SoftToken) -> None:
    token.pin_file.write_text("wrong-pin\n")
    for _ in range(20):  # a token that is locked stays so
        with pytest.raises(InvalidInput, match="refuses the PIN") as refused:
            make_held_key(token.uri("key"), "EdDSA")
        assert "wrong-pin" not in str(refused.value)


def test_a_pin_that_others_can_read_is_refused(token: SoftToken) -> None:
    token.pin_file.chmod(0o644)
    with pytest.raises(InvalidInput, match="open to others"):
        make_held_key(token.uri("key"), "EdDSA")


def test_a_library_that_does_not_start_is_told_with_its_path(tmp_path: Path, token: SoftToken) -> None:
    uri = token.uri("key").replace(str(token.module), str(tmp_path / "none.so"))
    with pytest.raises(Unavailable, match=r"none\.so"):
        make_held_key(uri, "EdDSA")
    assert os.path.exists(token.module)  # noqa: PTH110
