"""One client's way through the code flow (docs/standards/fapi.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from api.office.configuration import HolderOptions
from tests.api.service import ASSERTION_TYPE, assertion, dpop_proof
from tests.keys import KeyPair
from tests.standards.kit import Stage, stage
from tests.standards.served import CODE, REDIRECT, consent_of

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
"""RFC 7636, appendix B."""
DETAILS = json.dumps([{"type": "account_information", "actions": ["list_accounts", "read_balances"]}])
SECRET = "a proxy's secret of this test"
APPROVE = "https://bank.example/approve"


@contextmanager
def code_stage(folder: Path, **settings: Any) -> Iterator[Stage]:
    """Bank B's customers agree on pages of the bank's own; a proxy tells of client certificates."""
    secret = folder / "proxy.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    with stage(
        f"sqlite:///{folder / 'ledger.sqlite'}",
        folder / "state",
        holders={"bank-a": HolderOptions(approve_at=APPROVE), "bank-b": HolderOptions(approve_at=f"{APPROVE}?b=1")},
        client_certificate_header="Client-Cert",
        proxy_secret_file=secret,
        token_requests_per_minute=100_000,
        **settings,
    ) as running:
        yield running


class Walk:
    """One client's way with one holder's customer; each step can be bent."""

    def __init__(self, stage: Stage, recipient: str = "tpp-1", holder: str = "bank-a") -> None:
        self.stage, self.service, self.holder = stage, stage.service, holder
        self.app = stage.recipients[recipient]
        self.dpop = KeyPair.generate("ES256")
        self.grant = ""
        self.redirect = REDIRECT

    def _client(self) -> dict[str, str]:
        assert self.app.client_key is not None
        return {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(self.app.client_key, self.app.id, self.service.base_url),
        }

    def push(self, *, proof: KeyPair | None = None, **form: str) -> httpx2.Response:
        address = f"/holders/{self.holder}/oauth/par"
        headers = {"dpop": dpop_proof(proof, "POST", self.service.base_url + address)} if proof else {}
        said = {**self._client(), **CODE, "redirect_uri": self.redirect, "authorization_details": DETAILS, **form}
        said = {name: value for name, value in said.items() if value != "-"}
        return self.service.http.post(address, data=said, headers=headers)

    def authorize(self, pushed: httpx2.Response, client: str = "") -> httpx2.Response:
        assert pushed.status_code == 201, pushed.text
        self.grant = consent_of(pushed)
        query = {"client_id": client or self.app.id, "request_uri": pushed.json()["request_uri"]}
        return self.service.http.get("/authorize", params=query)

    def ticket(self, **form: str) -> str:
        """The browser stands at the bank."""
        sent = self.authorize(self.push(**form))
        assert sent.status_code == 303, sent.text
        said = parse_qs(urlsplit(sent.headers["location"]).query)
        assert said["consent"] == [self.grant]
        return said["request"][0]

    def answer(self, ticket: str, *, agreed: bool = True, holder: str = "") -> httpx2.Response:
        """The bank says what its customer said."""
        bank = self.stage.service.as_(self.stage.banks[holder or self.holder])
        said = {"request": ticket, "agreed": agreed}
        return bank.request("POST", f"/holders/{self.holder}/oauth/answers", json=said)

    def back(self, ticket: str, *, agreed: bool = True) -> dict[str, str]:
        """What the client reads in the address that the browser comes back to."""
        answered = self.answer(ticket, agreed=agreed)
        assert answered.status_code == 200, answered.text
        address = answered.json()["redirect_to"]
        assert address.startswith(self.redirect + "?"), address
        return {name: value for name, [value] in parse_qs(urlsplit(address).query).items()}

    def code(self, **form: str) -> str:
        ticket = self.ticket(**form)
        self.stage.authorise(self.grant, self.holder)
        return self.back(ticket)["code"]

    def token(
        self, *, dpop: KeyPair | None = None, headers: dict[str, str] | None = None, **form: str
    ) -> httpx2.Response:
        said = {**self._client(), **form}
        said = {name: value for name, value in said.items() if value != "-"}
        proof = {"dpop": dpop_proof(dpop or self.dpop, "POST", f"{self.service.base_url}/token")}
        return self.service.http.post("/token", data=said, headers=proof if headers is None else headers)

    def redeem(self, given: str, **form: Any) -> httpx2.Response:
        said = {
            "grant_type": "authorization_code",
            "code": given,
            "redirect_uri": self.redirect,
            "code_verifier": VERIFIER,
        }
        return self.token(**{**said, **form})

    def refresh(self, token: str, **form: Any) -> httpx2.Response:
        return self.token(**{"grant_type": "refresh_token", "refresh_token": token, **form})

    def introspected(self, token: str) -> dict[str, Any]:
        """As the holder sees it: the server of the data."""
        bank = self.stage.banks[self.holder]
        assert bank.client_key is not None
        said = {
            "token": token,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(bank.client_key, bank.id, self.service.base_url),
        }
        return dict(self.service.http.post("/introspect", data=said).json())
