"""Places of keys as text: what is read, what is refused, and that no PIN is ever shown. Needs no token."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ledger.canonical import encode
from ledger.custody.held_jwk import read_held_jwk
from ledger.custody.log_key import make_log_key, read_signer
from ledger.custody.places import place_of
from ledger.custody.uri import parse_token_uri
from ledger.errors import Conflict, InvalidInput
from ledger.secrets import write_secret
from ledger.vault.kek import make_kek, read_kek

WHOLE = "pkcs11:token=The%20ledger;object=log-1;id=%01%02?module-path=/usr/lib/hsm.so&pin-source=file:/run/pin"


def test_a_uri_names_token_key_library_and_the_file_of_the_pin() -> None:
    uri = parse_token_uri(WHOLE)
    assert (uri.token, uri.label, uri.key_id) == ("The ledger", "log-1", b"\1\2")
    assert (uri.module, uri.pin_source) == (Path("/usr/lib/hsm.so"), Path("/run/pin"))


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("pkcs11:object=k?module-path=/m&pin-source=/p", "names no token"),
        ("pkcs11:token=t?module-path=/m&pin-source=/p", "names no key"),
        ("pkcs11:token=t;object=k?pin-source=/p", "module-path"),
        ("pkcs11:token=t;object=k?module-path=m&pin-source=/p", "absolute path"),
        ("pkcs11:token=t;object=k?module-path=/m", "pin-source"),
        ("pkcs11:token=t;object=k?module-path=/m&pin-source=|cat /p", "percent-encoded"),
        ("pkcs11:token=t;token=u;object=k?module-path=/m&pin-source=/p", "comes twice"),
        ("pkcs11:token=t;objekt=k?module-path=/m&pin-source=/p", "'objekt'"),
        ("pkcs11:token=t;object=k;type=cert?module-path=/m&pin-source=/p", "type"),
        ("pkcs11:token=%zz;object=k?module-path=/m&pin-source=/p", "percent-encoded"),
        ("pkcs11:token=%ff;object=k?module-path=/m&pin-source=/p", "UTF-8"),
        ("pkcs11:token=t%00;object=k?module-path=/m&pin-source=/p", "NUL"),
        ("pkcs11:token=t;object=k?module-path=/m&pin-source=/p" + "&" * 1000, "at most"),
    ],
)
def test_a_uri_that_could_mean_another_key_is_refused_by_what_is_wrong_with_it(uri: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse_token_uri(uri)


def test_a_pin_in_a_uri_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidInput, match="pin-source") as refused:
        parse_token_uri("pkcs11:token=t;object=k?module-path=/m&pin-value=sesame")
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize("text", ["azurekms:vault/log", "tpm2:x", "pkcs12:token=t"])
def test_a_place_that_this_version_does_not_know_is_refused_with_those_it_knows(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"supported are a path, file:, .*pkcs11:"):
        place_of(text)


def test_a_plain_path_and_file_are_the_same_place() -> None:
    assert place_of("/var/lib/log.key") == place_of("file:/var/lib/log.key") == Path("/var/lib/log.key")


def test_a_key_file_that_names_a_place_shows_the_public_half_without_asking_it(tmp_path: Path) -> None:
    vkey = make_log_key(tmp_path / "of-its-own", "ledger.example/1")
    write_secret(tmp_path / "log.key", f"consent-ledger-log-key {vkey.format()} {WHOLE}\n".encode())
    signer = read_signer(tmp_path / "log.key")
    assert (signer.vkey, signer.place) == (vkey, WHOLE)


@pytest.mark.parametrize("line", ["consent-ledger-log-key ", "consent-ledger-log-key x+y+z pkcs11:token=t\n"])
def test_a_log_key_file_that_names_no_key_is_refused_without_being_shown(tmp_path: Path, line: str) -> None:
    write_secret(tmp_path / "log.key", line.encode())
    with pytest.raises(InvalidInput, match="does not hold a note key"):
        read_signer(tmp_path / "log.key")


def test_a_kek_file_says_epoch_and_place(tmp_path: Path) -> None:
    write_secret(tmp_path / "kek", f"consent-ledger-kek 7 {WHOLE}\n".encode())
    kek = read_kek(tmp_path / "kek")
    assert (kek.epoch, kek.uri, kek.key) == (7, WHOLE, b"")


def test_nothing_is_made_over_a_key_that_is_there_or_at_a_place_that_is_unknown(tmp_path: Path) -> None:
    make_kek(tmp_path / "kek")
    before = read_kek(tmp_path / "kek")
    with pytest.raises(Conflict, match="never overwritten"):
        make_kek(tmp_path / "kek")
    with pytest.raises(InvalidInput, match="tpm2"):
        make_kek(tmp_path / "kek.new", "tpm2:kek")
    assert (read_kek(tmp_path / "kek"), [path.name for path in tmp_path.iterdir()]) == (before, ["kek"])


@pytest.mark.parametrize(
    "members",
    [
        {"crv": "Ed25519", "kty": "OKP", "x": "AAAA"},
        {"crv": "P-256", "kty": "EC", "x": "A" * 43},
        {"crv": "P-256", "d": "A" * 43, "kty": "EC", "x": "A" * 43, "y": "A" * 43},
    ],
)
def test_a_key_file_that_names_a_place_has_exactly_a_public_key_beside_it(members: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="no public JWK"):
        read_held_jwk(encode({**members, "held_at": WHOLE}))


def test_another_key_file_names_no_place() -> None:
    assert read_held_jwk(b"MIG: a PEM file\n") is None
    assert read_held_jwk(b'{"kty":"EC"}') is None


@pytest.mark.parametrize(
    ("uri", "library", "module", "extra"),
    [
        ("awskms:alias/log?region=eu-central-1", "botocore.config", "api.client.aws_kms", "awskms"),
        ("gcpkms:projects/p", "google.auth", "api.client.google_login", "gcpkms"),
    ],
)
def test_a_place_whose_library_is_not_installed_says_how_to_install_it(
    uri: str, library: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (module, "api.client.google_kms"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InvalidInput, match=rf"consent-ledger\[{extra}\]"):
        place_of(uri)
