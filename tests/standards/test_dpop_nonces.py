"""Nonces for DPoP proofs (RFC 9449 §8, §9), where the operator demands them: what a client meets, and what it is spared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.client import LedgerClient, LocalSigner, Trust
from api.tokens.jwt import BadToken
from api.tokens.keys import TokenSigner
from api.tokens.nonces import PERIOD, Nonces, NonceWanted
from ledger.canonical import b64u, unb64u
from ledger.documents import key_added
from tests.api.service import ASSERTION_TYPE, TokenClient, assertion, dpop_proof
from tests.keys import KeyPair
from tests.standards.certificates import certificate, told
from tests.standards.kit import Stage
from tests.standards.served import CODE
from tests.standards.walk import code_stage


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with code_stage(tmp_path_factory.mktemp("nonces"), dpop_nonce="required") as running:
        yield running


def _form(played: Stage) -> dict[str, str]:
    app = played.recipients["tpp-1"]
    assert app.client_key is not None
    signed = assertion(app.client_key, app.id, played.service.base_url)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}


def _asked(played: Stage, path: str, form: dict[str, str], **claims: Any) -> httpx2.Response:
    proof = dpop_proof(KeyPair.generate("ES256"), "POST", played.service.base_url + path, **claims)
    return played.service.http.post(path, data=form, headers={"dpop": proof})


def _wants_nonce(answer: httpx2.Response) -> str:
    """RFC 9449 §8: the error, and the nonce that the next proof brings."""
    assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce"), answer.text
    return answer.headers["dpop-nonce"]


@pytest.mark.parametrize("path", ["/token", "/holders/bank-a/oauth/par"])
def test_the_token_service_asks_for_its_nonce_and_takes_the_same_assertion_with_it(played: Stage, path: str) -> None:
    form = _form(played) | ({"grant_type": "client_credentials"} if path == "/token" else {**CODE, "scope": "consent"})
    if path != "/token":
        form |= {
            "authorization_details": '[{"type":"account_information","actions":["read_balances"]}]',
            "client_id": "tpp-1",
        }
        del form["scope"]
    nonce = _wants_nonce(_asked(played, path, form))
    for wrong in ("", "x", b64u(b"guessed"), b64u(bytes(69)), nonce[:-4] + "AAAA", "a" * 200):
        assert _wants_nonce(_asked(played, path, form, nonce=wrong))
    given = _asked(played, path, form, nonce=nonce)
    assert given.status_code in (200, 201), given.text
    assert given.headers["dpop-nonce"], "the next one comes with every answer"
    assert _asked(played, path, form, nonce=nonce).json()["error"] == "invalid_client", "the assertion is used now"


def test_a_route_of_the_ledger_asks_for_it_in_its_own_way(played: Stage) -> None:
    """RFC 9449 §9."""
    client, http = played.client(), played.service.http
    for path in ("/consents", "/receipts/0"):  # served by the framework, and by the fast way
        refused = http.get(path, headers=client.headers("GET", path))
        assert (refused.status_code, 'error="use_dpop_nonce"' in refused.headers["www-authenticate"]) == (401, True)
        nonce = refused.headers["dpop-nonce"]
        proved = client.headers("GET", path, nonce=nonce)
        answer = http.get(path, headers=proved)
        assert answer.status_code in (200, 404), answer.text
        assert answer.headers["dpop-nonce"]
        again = http.get(path, headers=proved)
        assert (again.status_code, "used before" in again.json()["detail"]) == (401, True)
    stranger = TokenClient(http, played.service.base_url, client.token, KeyPair.generate("ES256"))
    refused = http.get("/consents", headers=stranger.headers("GET", "/consents", nonce=nonce))
    assert (refused.status_code, "invalid_dpop_proof" in refused.headers["www-authenticate"]) == (401, True)


def test_each_front_takes_the_nonces_of_all_others_while_they_last(played: Stage) -> None:
    client, http = played.client(), played.service.http
    signer = TokenSigner.load(played.service.node.settings.token_key_file)
    now = time.time()
    for age, status in ((0, 200), (9 * PERIOD, 401), (-9 * PERIOD, 401)):
        nonce = Nonces(signer).current(now - age)  # another front's: it has the same key, and nothing else in common
        answer = http.get("/consents", headers=client.headers("GET", "/consents", nonce=nonce))
        assert answer.status_code == status, age


def test_nonces_of_one_key_are_known_to_all_who_have_it_and_to_nobody_else(tmp_path: Path) -> None:
    one, other = TokenSigner.make(tmp_path / "one"), TokenSigner.make(tmp_path / "other")
    made, now = Nonces(one), 1_790_000_000.0
    nonce = made.current(now)
    assert made.current(now + PERIOD) != nonce
    Nonces(one).check(nonce, now)
    for said in (nonce + "=", unb64u(nonce)[:40].hex(), None, 7, "", b64u(unb64u(nonce)[:-1])):
        with pytest.raises(NonceWanted):
            made.check(said, now)
    with pytest.raises(NonceWanted):
        Nonces(other).check(nonce, now)
    for later in (0, PERIOD):
        made.check(nonce, now - now % PERIOD + later)
    for beyond in (-1, 2 * PERIOD):
        with pytest.raises(BadToken, match="is over"):
            made.check(nonce, now - now % PERIOD + beyond)


def test_a_token_that_is_bound_to_a_certificate_needs_none(played: Stage) -> None:
    key = KeyPair.generate("ES256", "tls-nonce")
    played.service.node.ledger.record_documents(key_added("tpp-1", key.kid, "ES256", "client", key.jwk))
    headers, http = told(certificate(key)), played.service.http
    form = {"grant_type": "client_credentials", "client_id": "tpp-1", "scope": "consents:read"}
    token = http.post("/token", data=form, headers=headers).json()["access_token"]
    assert http.get("/consents", headers={"authorization": f"Bearer {token}", **headers}).status_code == 200


def test_the_client_of_this_ledger_learns_the_nonce_and_asks_once_more(played: Stage) -> None:
    app = played.recipients["tpp-1"]
    assert app.client_key is not None
    keys = [LocalSigner(app.client_key.kid, app.client_key.private) for _ in range(2)]
    trust = Trust(played.service.node.ledger.vkey)
    asked: list[str] = []

    class Counted(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:  # type: ignore[explicit-override]
            asked.append(request.url.path)
            return await super().handle_async_request(request)

    async def reads() -> None:
        async with LedgerClient(
            played.service.base_url, app.id, keys[0], trust, client_key=keys[1], transport=Counted()
        ) as client:
            for _ in range(3):
                await client.read("/consents")

    asyncio.run(reads())
    assert asked.count("/token") == 2, "told, and asked once more"
    assert 3 <= asked.count("/consents") <= 4, "the nonce of the token service is good everywhere"
