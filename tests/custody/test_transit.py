"""Keys in Vault's transit engine, against a server that speaks its documented HTTP API (tests/custody/vault.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.node.founding import KeyPlaces, initialise
from api.node.settings import Settings
from ledger.custody.held import jwk_of
from ledger.custody.log_key import make_log_key, read_signer
from ledger.custody.places import held_key, make_held_key, make_wrapping_key, place_of, wrapping_key
from ledger.entries.keys import verifier_of
from ledger.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from tests.custody.service import after_an_outage
from tests.custody.vault import TOKEN, Transit, running_transit


@pytest.fixture
def transit(tmp_path: Path) -> Iterator[Transit]:
    with running_transit(tmp_path) as running:
        yield running


@pytest.mark.parametrize("alg", ["EdDSA", "ES256"])
def test_a_key_made_there_signs_also_after_a_newer_version_came(transit: Transit, alg: str) -> None:
    made = make_held_key(transit.uri("key"), alg)  # type: ignore[arg-type]
    transit.rotate("key")
    pinned = held_key(transit.uri("key"), alg, made.public)  # type: ignore[arg-type]
    for key in (made, pinned):
        verifier_of(alg, jwk_of(made.alg, made.public))(b"message", key.sign(b"message"))
    assert held_key(transit.uri("key"), alg).public != made.public, "the newest"  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="never overwritten"):
        make_held_key(transit.uri("key"), alg)  # type: ignore[arg-type]


def test_a_wrap_opens_but_not_with_a_changed_byte_or_place(transit: Transit) -> None:
    wrapper = make_wrapping_key(transit.uri("kek"))
    sealed = wrapper.seal(b"d" * 32, b"here")
    assert wrapping_key(transit.uri("kek")).open(sealed, b"here") == b"d" * 32
    for bad, place in ((sealed[:-8] + b"AAAAAAA=", b"here"), (sealed, b"there"), (b"", b"here"), (b"\xff", b"here")):
        with pytest.raises(Corrupt, match="does not decrypt"):
            wrapper.open(bad, place)


def test_a_service_that_is_sealed_or_away_is_told_and_waited_for(transit: Transit, tmp_path: Path) -> None:
    make_log_key(tmp_path / "log.key", "ledger.example/1", transit.uri("log"))
    signer = read_signer(tmp_path / "log.key")
    transit.sealed = True
    with pytest.raises(Unavailable, match="503"):
        signer.sign(b"text\n")
    with pytest.raises(Unavailable, match="503"):
        signer.probe()
    transit.sealed = False
    signer.vkey.verify(b"text\n", signer.sign(b"text\n"))


def test_a_token_that_may_not_is_refused_and_never_shown(transit: Transit, tmp_path: Path) -> None:
    uri = transit.uri("key")
    make_held_key(uri, "EdDSA")
    (tmp_path / "vault-token").write_text("s.another\n")
    with pytest.raises(InvalidInput, match="403") as refused:
        held_key(uri, "EdDSA")
    assert "another" not in str(refused.value)
    assert TOKEN not in str(refused.value)
    (tmp_path / "vault-token").write_text(TOKEN)
    with pytest.raises(NotFound):
        held_key(transit.uri("none"), "EdDSA")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("vault:http://vault.example/transit/k?token-source=/t", "https"),
        ("vault:https://user:secret@vault.example/transit/k?token-source=/t", "no secret"),
        ("vault:https://vault.example/k?token-source=/t", "ENGINE/NAME"),
        ("vault:https://vault.example/transit/k", "token-source"),
        ("vault:https://vault.example/transit/k?token-source=t", "absolute path"),
        ("vault:https://vault.example/transit/k?token-source=/t&token=s.x", "no more|may have"),
    ],
)
def test_an_invalid_uri_is_refused_with_what_is_wrong_with_it(uri: str, said: str) -> None:
    assert place_of(uri) == uri
    with pytest.raises(InvalidInput, match=said):
        wrapping_key(uri)


def test_a_log_in_vault_loses_nothing_when_the_service_ends_in_the_middle_of_a_commit(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state", index_interval_ms=0)
    with running_transit(tmp_path) as transit:
        initialise(settings, "ledger.example/vault", KeyPlaces(transit.uri("log"), transit.uri("kek")))
    with after_an_outage(settings, lambda: running_transit(tmp_path, transit), "Vault at"):
        pass
