"""The commit that ends a consent, suspends a recipient or revokes a key ends the tokens, on every front, while others ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledger.documents import key_added
from tests.api.fleet import Fleet, fleet
from tests.api.service import ASSERTION_TYPE, TokenClient, assertion, dpop_proof
from tests.keys import KeyPair
from tests.standards.certificates import certificate, told
from tests.standards.kit import Stage
from tests.standards.walk import Walk, code_stage
from tests.world import ConsentInWorld

SHARES = 8
ASKERS = 3
"""Threads that ask all the time."""
DOORS = 6
"""Fresh connections after each commit: some of them reach each front."""


@dataclass
class Share:
    """A consent, and the tokens that live by it."""

    consent: ConsentInWorld
    access: str
    bound_to_certificate: str
    refresh: str
    ended_at: float = float("inf")
    """When its end was acknowledged."""

    @property
    def tokens(self) -> tuple[str, str, str]:
        return self.access, self.bound_to_certificate, self.refresh


@dataclass
class Doors:
    """A ledger of several processes, seen through a new connection each time."""

    stage: Stage
    shares: list[Share]
    fleet: Fleet
    http: httpx2.Client
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return self.stage.service.base_url

    def post(self, path: str, **kwargs: Any) -> httpx2.Response:
        with httpx2.Client(base_url=self.url, timeout=60, trust_env=False) as http:
            return http.post(path, **kwargs)

    def get(self, client: TokenClient, path: str) -> int:
        with httpx2.Client(base_url=self.url, timeout=60, trust_env=False) as http:
            return TokenClient(http, self.url, client.token, client.key).get(path).status_code

    def assertion_of(self, party: Any) -> dict[str, str]:
        return {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(party.client_key, party.id, self.url),
        }

    def is_active(self, token: str, asker: Any) -> bool:
        answer = self.post("/introspect", data={"token": token, **self.assertion_of(asker)})
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["active"])

    def alive(self, share: Share) -> list[bool]:
        """Whether each of its tokens is good: as the bank, as the bank, and as the app that has it."""
        bank, app = self.stage.banks["bank-a"], self.stage.recipients["tpp-1"]
        return [
            self.is_active(share.access, bank),
            self.is_active(share.bound_to_certificate, bank),
            self.is_active(share.refresh, app),
        ]

    def refreshes(self, share: Share) -> bool:
        app = self.stage.recipients["tpp-1"]
        form = {"grant_type": "refresh_token", "refresh_token": share.refresh, **self.assertion_of(app)}
        proof = {"dpop": dpop_proof(KeyPair.generate("ES256"), "POST", f"{self.url}/token")}
        return self.post("/token", data=form, headers=proof).status_code == 200

    def everywhere(self, share: Share) -> list[list[bool]]:
        """Through several doors at once."""
        with ThreadPoolExecutor(DOORS) as pool:
            return list(pool.map(lambda _: [*self.alive(share), self.refreshes(share)], range(DOORS)))

    def asks_all_the_time(self, mine: list[tuple[float, Share, list[bool]]]) -> None:
        while not self.ended.is_set():
            for share in self.shares:
                began = time.monotonic()
                mine.append((began, share, self.alive(share)))


@pytest.fixture
def doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    """Shares that were agreed to at a ledger of one process, which is then served by several."""
    folder = tmp_path / "ledger"
    folder.mkdir()
    with code_stage(folder, access_token_seconds=600) as stage:
        key = KeyPair.generate("ES256", "tls-1")
        stage.service.node.ledger.record_documents(key_added("tpp-1", key.kid, "ES256", "client", key.jwk))
        headers = told(certificate(key))
        shares = [_shared(stage, headers) for _ in range(SHARES)]
        settings = stage.service.node.settings
    for name, value in {
        "DATABASE_URL": settings.database_url,
        "CLIENT_CERTIFICATE_HEADER": "Client-Cert",
        "PROXY_SECRET_FILE": str(folder / "proxy.secret"),
        "TOKEN_REQUESTS_PER_MINUTE": "100000",
        "READS_PER_MINUTE": "100000",
        "INDEX_INTERVAL_MS": "0",
    }.items():
        monkeypatch.setenv(f"CONSENT_LEDGER_{name}", value)
    with (
        fleet(settings, tmp_path / "fleet") as running,
        httpx2.Client(base_url=stage.service.base_url, timeout=60, trust_env=False) as http,
    ):
        yield Doors(stage, shares, running, http)


def _shared(stage: Stage, headers: dict[str, str]) -> Share:
    walk = Walk(stage)
    said = walk.redeem(walk.code()).json()
    details = f'[{{"type": "account_information", "consent_id": "{walk.grant}"}}]'
    form = {"grant_type": "client_credentials", "client_id": "tpp-1", "authorization_details": details}
    bound = stage.service.http.post("/token", data=form, headers=headers).json()
    assert bound["token_type"] == "Bearer", bound
    return Share(stage.known(walk.grant), said["access_token"], bound["access_token"], said["refresh_token"])


@pytest.mark.timeout(600)
def test_tokens_end_in_the_commit_that_ends_what_they_live_by_on_every_front_under_load(doors: Doors) -> None:
    assert len(doors.fleet.fronts()) > 1
    stage = doors.stage
    assert doors.alive(doors.shares[0]) == [True, True, True]
    seen: list[list[tuple[float, Share, list[bool]]]] = [[] for _ in range(ASKERS)]
    askers = [threading.Thread(target=doors.asks_all_the_time, args=(mine,)) for mine in seen]
    for asker in askers:
        asker.start()
    try:
        stopped, kept = doors.shares[: SHARES // 2], doors.shares[SHARES // 2 :]
        for share in stopped:
            step = stage.banks["bank-a"].step("revoke", share.consent)
            answer = doors.post(step.path, content=step.body, headers={"content-type": "application/json"})
            assert answer.status_code == 201, answer.text
            share.ended_at = time.monotonic()
            assert doors.everywhere(share) == [[False] * 4] * DOORS
        assert all(doors.everywhere(kept[0])[0]), "others live on"

        operator = _operator(doors)
        other = _client(doors, "tpp-2")
        assert doors.get(other, "/consents") == 200
        key = stage.recipients["tpp-2"].client_key
        assert key is not None
        assert operator.request("DELETE", f"/participants/tpp-2/keys/{key.kid}").status_code == 201
        with ThreadPoolExecutor(DOORS) as pool:
            assert set(pool.map(lambda _: doors.get(other, "/consents"), range(DOORS))) == {401}

        why = {"reason": "licence-withdrawn"}
        assert operator.request("POST", "/participants/tpp-1/suspend", json=why).status_code == 201
        for share in kept:
            share.ended_at = time.monotonic()
        assert doors.everywhere(kept[0]) == [[False] * 4] * DOORS
    finally:
        doors.ended.set()
        for asker in askers:
            asker.join()
    told = [one for mine in seen for one in mine]
    assert any(all(alive) for _, _, alive in told), "they were asked while they lived"
    assert [alive for began, share, alive in told if began > share.ended_at and any(alive)] == []


def _client(doors: Doors, recipient: str) -> TokenClient:
    party = doors.stage.recipients[recipient]
    possession = KeyPair.generate("ES256")
    form = {"grant_type": "client_credentials", "scope": "consents:read", **doors.assertion_of(party)}
    given = doors.post("/token", data=form, headers={"dpop": dpop_proof(possession, "POST", f"{doors.url}/token")})
    assert given.status_code == 200, given.text
    return TokenClient(doors.http, doors.url, given.json()["access_token"], possession)


def _operator(doors: Doors) -> TokenClient:
    service, possession = doors.stage.service, KeyPair.generate("ES256")
    key = service.operator_key
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(key, "urn:consent-ledger:operator", doors.url),
    }
    given = doors.post("/token", data=form, headers={"dpop": dpop_proof(possession, "POST", f"{doors.url}/token")})
    assert given.status_code == 200, given.text
    return TokenClient(doors.http, doors.url, given.json()["access_token"], possession)
