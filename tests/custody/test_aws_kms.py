"""Keys in AWS KMS, through AWS's own client: against a server that speaks the documented API (tests/custody/aws.py), and
against moto for what that does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import settings as moto_settings
from moto.core.responses import ActionAuthenticatorMixin
from moto.server import ThreadedMotoServer

from api.client.aws_kms import MOST_SIGNED
from api.node.founding import KeyPlaces, initialise
from api.node.settings import Settings
from ledger.custody.held import HeldAlgorithm, jwk_of
from ledger.custody.log_key import make_log_key, read_signer
from ledger.custody.places import held_key, make_held_key, make_wrapping_key, place_of, wrapping_key
from ledger.entries.keys import verifier_of
from ledger.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from tests.custody.aws import REGION, SECRET, USER, Kms, running_kms
from tests.custody.service import after_an_outage, all_keys_are_usable


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials as an operator sets them, and none of this machine's."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", USER)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture
def kms() -> Iterator[Kms]:
    with running_kms() as running:
        yield running


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The query of URIs of keys there."""
    counted, let_in = ActionAuthenticatorMixin.request_count, moto_settings.INITIAL_NO_AUTH_ACTION_COUNT
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"region={REGION}&endpoint=http://{host}:{port}"
    server.stop()
    ActionAuthenticatorMixin.request_count, moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = counted, let_in


@pytest.mark.parametrize("alg", ["EdDSA", "ES256"])
def test_a_key_made_there_signs_and_is_never_made_twice(kms: Kms, alg: HeldAlgorithm) -> None:
    made = make_held_key(kms.uri("key"), alg)
    pinned = held_key(kms.uri("key"), alg, made.public)
    for key in (made, pinned, held_key(kms.uri("key"), alg)):
        verifier_of(alg, jwk_of(alg, made.public))(b"message", key.sign(b"message"))
        key.probe()
    with pytest.raises(Conflict, match="never overwritten"):
        make_held_key(kms.uri("key"), alg)
    assert len(kms.keys) == 1


def test_the_public_half_that_is_on_file_is_shown_without_asking(kms: Kms) -> None:
    public = make_held_key(kms.uri("key"), "EdDSA").public
    kms.asked.clear()
    assert held_key(kms.uri("key"), "EdDSA", public).public == public
    assert kms.asked == []


def test_an_alias_that_was_moved_signs_nothing_and_a_key_in_use_stays_the_same(kms: Kms) -> None:
    used = make_held_key(kms.uri("key"), "EdDSA")
    make_held_key(kms.uri("another"), "EdDSA")
    kms.aliases["alias/key"] = kms.aliases["alias/another"]
    fresh = held_key(kms.uri("key"), "EdDSA", used.public)
    for _ in range(2):
        with pytest.raises(InvalidInput, match="another key now"):
            fresh.sign(b"message")
    with pytest.raises(InvalidInput, match="another key now"):
        fresh.probe()
    verifier_of("EdDSA", jwk_of("EdDSA", used.public))(b"message", used.sign(b"message"))


def test_a_wrap_opens_but_not_with_a_changed_byte_place_or_key(kms: Kms) -> None:
    wrapper = make_wrapping_key(kms.uri("kek"))
    sealed = wrapper.seal(b"d" * 32, b"chain/of/somebody")
    assert wrapping_key(kms.uri("kek")).open(sealed, b"chain/of/somebody") == b"d" * 32
    other = make_wrapping_key(kms.uri("other"))
    for key, bad, place in (
        (wrapper, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"chain/of/somebody"),
        (wrapper, sealed, b"there"),
        (wrapper, b"", b"chain/of/somebody"),
        (wrapper, b"\xff" * 100, b"chain/of/somebody"),
        (other, sealed, b"chain/of/somebody"),
    ):
        with pytest.raises(Corrupt, match="does not decrypt"):
            key.open(bad, place)
    wrapper.probe()
    assert "somebody" not in json.dumps(kms.contexts), "the audit trail of AWS shows the context to its readers"


def test_a_key_of_another_kind_is_refused_by_its_kind(kms: Kms) -> None:
    make_held_key(kms.uri("p256"), "ES256")
    make_wrapping_key(kms.uri("kek"))
    with pytest.raises(InvalidInput, match="ECC_NIST_P256 for SIGN_VERIFY, not ECC_NIST_EDWARDS25519"):
        held_key(kms.uri("p256"), "EdDSA")
    with pytest.raises(InvalidInput, match="InvalidKeyUsageException"):
        held_key(kms.uri("kek"), "EdDSA")
    with pytest.raises(InvalidInput, match="InvalidKeyUsageException"):
        wrapping_key(kms.uri("p256")).probe()


def test_a_region_that_makes_no_such_keys_is_told_at_init_and_leaves_no_file(kms: Kms, tmp_path: Path) -> None:
    kms.lacks = frozenset({"ECC_NIST_EDWARDS25519"})
    with pytest.raises(InvalidInput, match="UnsupportedOperationException"):
        make_log_key(tmp_path / "log.key", "ledger.example/1", kms.uri("log"))
    assert not (tmp_path / "log.key").exists()


def test_a_message_that_is_too_long_for_the_service_is_refused_before_it_is_sent(kms: Kms) -> None:
    key = make_held_key(kms.uri("key"), "EdDSA")
    key.sign(b"m" * MOST_SIGNED)
    kms.asked.clear()
    with pytest.raises(InvalidInput, match=r"at most 4096 bytes.*ES256"):
        key.sign(b"m" * (MOST_SIGNED + 1))
    assert kms.asked == []
    make_held_key(kms.uri("p256"), "ES256").sign(b"m" * (MOST_SIGNED + 1))


@pytest.mark.parametrize("code", ["KMSInternalException", "DisabledException", "KMSInvalidStateException"])
def test_a_service_in_trouble_and_a_key_that_is_disabled_are_told_and_waited_for(
    kms: Kms, tmp_path: Path, code: str
) -> None:
    make_log_key(tmp_path / "log.key", "ledger.example/1", kms.uri("log"))
    signer = read_signer(tmp_path / "log.key")
    kms.trouble = code
    with pytest.raises(Unavailable, match=code):
        signer.sign(b"text\n")
    with pytest.raises(Unavailable, match=code):
        signer.probe()
    kms.trouble = ""
    signer.vkey.verify(b"text\n", signer.sign(b"text\n"))


def test_somebody_who_may_not_is_refused_and_no_secret_is_shown(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    make_held_key(kms.uri("key"), "EdDSA")
    kms.trouble = "AccessDeniedException"
    with pytest.raises(InvalidInput, match="AccessDeniedException"):
        held_key(kms.uri("key"), "EdDSA")
    kms.trouble = ""
    with pytest.raises(NotFound):
        held_key(kms.uri("none"), "EdDSA")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTRANGER")
    with pytest.raises(InvalidInput, match="UnrecognizedClientException") as refused:
        held_key(kms.uri("key"), "EdDSA")
    assert SECRET not in str(refused.value)
    assert "STRANGER" not in str(refused.value)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(Unavailable, match="NoCredentialsError"):
        held_key(kms.uri("key"), "EdDSA")


def test_a_key_whose_alias_cannot_be_made_is_named_so_that_it_can_be_removed(
    kms: Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = kms.answer

    def no_alias(operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        kms.trouble = "AccessDeniedException" if operation == "CreateAlias" else ""
        return answer(operation, asked)

    monkeypatch.setattr(kms, "answer", no_alias)
    with pytest.raises(InvalidInput, match="create_alias") as refused:
        make_held_key(kms.uri("key"), "EdDSA")
    [arn] = kms.keys
    assert arn in str(refused.value)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("awskms:alias/k", "region"),
        ("awskms:alias/k?region=Frankfurt", "region"),
        ("awskms:alias/k?region=eu-central-1&region=eu-west-1", "comes twice"),
        ("awskms:alias/k?region=", "no value"),
        ("awskms:alias/k?region=eu-central-1&secret=x", "unknown here"),
        ("awskms:alias/k?region=eu-central-1&endpoint=http://kms.example", "https"),
        ("awskms:alias/k?region=eu-central-1&endpoint=https://u:p@kms.example", "no secret"),
        ("awskms:arn:aws:kms:eu-west-1:111122223333:key/x?region=eu-central-1", "region"),
        ("awskms:arn:aws:s3:::bucket?region=eu-central-1", "alias/NAME"),
        ("awskms:?region=eu-central-1", "alias/NAME"),
    ],
)
def test_an_invalid_uri_is_refused_with_what_is_wrong_with_it(uri: str, said: str) -> None:
    assert place_of(uri) == uri
    with pytest.raises(InvalidInput, match=said):
        wrapping_key(uri)


def test_an_arn_says_the_region_itself_and_names_no_key_that_is_to_be_made(kms: Kms) -> None:
    public = make_held_key(kms.uri("key"), "EdDSA").public
    [arn] = kms.keys
    query = f"?endpoint=http://127.0.0.1:{kms.port}"
    assert held_key(f"awskms:{arn}{query}", "EdDSA").public == public
    with pytest.raises(InvalidInput, match="gives ids to keys itself"):
        make_held_key(f"awskms:{arn[:-1]}x{query}", "EdDSA")


def test_a_log_in_kms_loses_nothing_when_the_service_ends_in_the_middle_of_a_commit(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state", index_interval_ms=0)
    with running_kms() as kms:
        places = KeyPlaces(*(kms.uri(name) for name in ("log", "kek", "token", "event")))
        initialise(settings, "ledger.example/kms", places)
    with after_an_outage(settings, lambda: running_kms(kms), "AWS KMS of") as run:
        run("kek", "rotate", "--to", kms.uri("kek-2"))
        assert all_keys_are_usable(run)


def test_another_server_of_the_same_api_makes_shows_and_wraps_for_us_too(moto: str) -> None:
    """It signs hashes as if they were messages, so that its signatures say nothing."""
    made = make_held_key(f"awskms:alias/p256?{moto}", "ES256")
    assert held_key(f"awskms:alias/p256?{moto}", "ES256").public == made.public
    assert len(made.sign(b"message")) == 64
    with pytest.raises(Conflict):
        make_held_key(f"awskms:alias/p256?{moto}", "ES256")
    wrapper = make_wrapping_key(f"awskms:alias/kek?{moto}")
    sealed = wrapper.seal(b"d" * 32, b"here")
    assert wrapping_key(f"awskms:alias/kek?{moto}").open(sealed, b"here") == b"d" * 32
    for bad, place in ((sealed[:-1] + bytes([sealed[-1] ^ 1]), b"here"), (sealed, b"there")):
        with pytest.raises(Corrupt, match="does not decrypt"):
            wrapper.open(bad, place)
