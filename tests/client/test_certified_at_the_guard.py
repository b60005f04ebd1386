"""Recipients that bring a certificate and the id of their consent, and no token: what a guarded bank gives them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ledger.documents import KeyRevoked, document_of, key_added
from tests.client.bank import reason, receipt_in
from tests.client.service import Service, running_service
from tests.client.token_scene import Scene, play
from tests.keys import KeyPair
from tests.standards.certificates import certificate, told

HEADER = "client-cert"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("certified")
    with running_service(f"sqlite:///{folder / 'ledger.sqlite'}", folder) as running:
        yield running


def own(service: Service, participant: str, kid: str = "", days: int = 30, how: str = "pem") -> dict[str, str]:
    """The certificate over a registered client key: the usual one, or a new one of this name."""
    secret = service.members[participant].client_key
    pair = KeyPair("ES256", secret.kid, secret._key) if not kid else KeyPair.generate("ES256", kid)
    if kid:
        service.node.ledger.record_documents(key_added(participant, kid, "ES256", "client", pair.jwk))
    return {HEADER: told(certificate(pair, days=days), how)[HEADER]}


@pytest.mark.parametrize("how", ["pem", "rfc9440", "envoy"])
def test_a_certificate_and_the_id_of_the_consent_let_data_out(service: Service, how: str) -> None:
    async def story(scene: Scene) -> None:
        answer = await scene.get(own(service, "app-1", how=how) | {"consent-id": scene.consent_id})
        assert (answer.status_code, answer.json()["account"]) == (200, "account-1")
        receipt = receipt_in(answer, service)
        assert (receipt.allowed, receipt.payload.iss, receipt.payload.relayed) == (True, "bank-a", True)  # type: ignore[union-attr]
        await scene.app.revoke(scene.consent_id)
        after = await scene.get(own(service, "app-1", how=how) | {"consent-id": scene.consent_id})
        assert reason(after) == (403, "CONSENT_REVOKED"), "the commit that ends the consent ends it"
        assert [one.allowed for one in await scene.recorded()] == [True, False]

    play(service, story, certificate=HEADER, certified=True)


def test_a_stranger_to_the_consent_gets_nothing_and_learns_nothing(service: Service) -> None:
    async def story(scene: Scene) -> None:
        mine = {"consent-id": scene.consent_id}
        stranger = {HEADER: told(certificate(KeyPair.generate("ES256")))[HEADER]}
        for headers, refused in (
            (mine, (401, "CERT_MISSING")),
            (mine | {HEADER: "x"}, (401, "CERT_INVALID")),
            (mine | stranger, (401, "CERT_INVALID")),
            (mine | own(service, "app-1", days=-1), (401, "CERT_EXPIRED")),
            (mine | own(service, "app-2"), (403, "CONSENT_UNKNOWN")),
            (own(service, "app-2") | {"consent-id": "0" * 8}, (403, "CONSENT_UNKNOWN")),
            (own(service, "app-1") | {"consent-id": "x" * 200}, (400, "REQUEST_MALFORMED")),
            (own(service, "app-1"), (401, "HEADER_MISSING")),
        ):
            answer = await scene.get(headers)
            assert reason(answer) == refused
            assert "consent-receipt" not in answer.headers
        assert await scene.recorded() == [], "no access of the consent's recipient"
        foreign = await scene.get(mine | own(service, "app-2"))
        nowhere = await scene.get(own(service, "app-2") | {"consent-id": "0" * 8})
        assert foreign.content == nowhere.content

    play(service, story, certificate=HEADER, certified=True)


def test_a_key_that_was_revoked_opens_nothing_after_the_next_look(service: Service) -> None:
    async def story(scene: Scene) -> None:
        headers = own(service, "app-1", "app-1-qwac") | {"consent-id": scene.consent_id}
        assert (await scene.get(headers)).status_code == 200
        revoked = document_of(KeyRevoked, participant="app-1", kid="app-1-qwac", reason="lost")
        await asyncio.to_thread(service.node.ledger.record_documents, revoked)
        scene.clock.ahead += 5_000
        assert reason(await scene.get(headers)) == (401, "CERT_REVOKED")

    play(service, story, certificate=HEADER, certified=True)


def test_a_token_is_judged_by_itself_whatever_certificate_is_beside_it(service: Service) -> None:
    async def story(scene: Scene) -> None:
        beside = own(service, "app-1") | {"consent-id": scene.consent_id}
        assert reason(await scene.get(beside | {"authorization": "Bearer x"})) == (401, "TOKEN_INVALID")

    play(service, story, certificate=HEADER, certified=True)


def test_a_guard_that_was_not_told_to_takes_no_certificates(service: Service) -> None:
    async def story(scene: Scene) -> None:
        headers = own(service, "app-1") | {"consent-id": scene.consent_id}
        assert reason(await scene.get(headers)) == (401, "HEADER_MISSING")

    play(service, story, certificate=HEADER)
