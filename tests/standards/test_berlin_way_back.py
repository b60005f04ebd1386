"""A client of Berlin Group's sends its customer to her bank and gets her back: to its own addresses, and to no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from api.office.configuration import HolderOptions
from api.tokens.returns import is_own, origin_of
from ledger.consent.state import Status
from ledger.documents import key_added
from ledger.entries.leaf import consent_chain
from tests.keys import KeyPair
from tests.standards.berlin import PATH, asked, call, create, refusal
from tests.standards.certificates import certificate, told
from tests.standards.kit import Stage, stage
from tests.standards.walk import APPROVE, SECRET

pytestmark = pytest.mark.conformance
BACK = "https://app.example/landing?state=af0ifjsldkj&lang=de"
NOK = "https://app.example/nok/7?state=af0ifjsldkj"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Bank A's customers agree on its own pages; bank B lets certificates count, and has chosen OAuth."""
    folder = tmp_path_factory.mktemp("way-back")
    secret = folder / "proxy.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    decided = {"berlin_domains": "certificate", "berlin_approach": "oauth"}
    with stage(
        f"sqlite:///{folder / 'ledger.sqlite'}",
        folder / "state",
        holders={"bank-a": HolderOptions(approve_at=APPROVE), "bank-b": HolderOptions(options=decided)},
        client_certificate_header="Client-Cert",
        proxy_secret_file=secret,
    ) as running:
        yield running


def sent(back: str = BACK, nok: str = "") -> dict[str, str]:
    return {"tpp-redirect-uri": back} | ({"tpp-nok-redirect-uri": nok} if nok else {})


def at_the_bank(played: Stage, made: dict[str, Any]) -> dict[str, str]:
    """The browser follows `scaRedirect`: the members that the bank's own page is opened with."""
    reached = played.service.http.get(made["_links"]["scaRedirect"]["href"])
    assert reached.status_code == 303, reached.text
    assert reached.headers["location"].startswith(APPROVE + "?")
    return {name: value for name, [value] in parse_qs(urlsplit(reached.headers["location"]).query).items()}


def answer(played: Stage, request: str, *, agreed: bool, bank: str = "bank-a") -> httpx2.Response:
    said = {"request": request, "agreed": agreed}
    return played.service.as_(played.banks[bank]).request("POST", f"/holders/{bank}/oauth/answers", json=said)


@pytest.mark.parametrize(("agreed", "leads_to"), [(True, BACK), (False, NOK)])
def test_she_goes_back_to_the_address_of_her_answer_as_the_client_wrote_it(
    played: Stage, agreed: bool, leads_to: str
) -> None:
    made = create(played, headers=sent(nok=NOK))
    there = at_the_bank(played, made)
    assert there["consent"] == made["consentId"]
    for _ in range(2):  # nothing is used up: the address carries nothing
        assert answer(played, there["request"], agreed=agreed).json() == {"redirect_to": leads_to}


def test_without_an_address_for_no_she_goes_back_all_the_same(played: Stage) -> None:
    there = at_the_bank(played, create(played, headers=sent()))
    assert answer(played, there["request"], agreed=False).json() == {"redirect_to": BACK}


def test_a_client_that_names_no_address_leaves_her_at_her_bank(played: Stage) -> None:
    made = create(played)
    assert at_the_bank(played, made) == {"consent": made["consentId"]}


def test_each_authorisation_has_the_addresses_it_was_begun_with(played: Stage) -> None:
    explicit = {"tpp-explicit-authorisation-preferred": "True"}
    made = create(played, headers=explicit)
    path = made["_links"]["startAuthorisation"]["href"].removeprefix("/holders/bank-a")
    backs = [f"https://app.example/{one}" for one in ("first", "second")]
    begun = [call(played, "POST", path, headers=sent(back)).json() for back in backs]
    reached = [answer(played, at_the_bank(played, one)["request"], agreed=True).json() for one in begun]
    assert reached == [{"redirect_to": back} for back in backs]


def test_the_way_back_is_no_authorization_and_only_of_its_holder(played: Stage) -> None:
    there = at_the_bank(played, create(played, headers=sent()))
    assert answer(played, there["request"], agreed=True, bank="bank-b").status_code == 400
    uri = "urn:ietf:params:oauth:request_uri:" + there["request"]
    refused = played.service.http.get("/authorize", params={"client_id": "tpp-1", "request_uri": uri})
    assert (refused.status_code, "location" in refused.headers) == (404, False)


def test_an_address_that_was_not_begun_here_leads_nowhere(played: Stage) -> None:
    first, second = create(played, headers=sent()), create(played, headers=sent())
    begun = first["_links"]["scaRedirect"]["href"].partition("?")[0]
    for query in (
        {"consent": second["consentId"]},
        {"consent": "unknown"},
        {},
        {"redirect_uri": "https://thief.example"},
    ):
        refused = played.service.http.get(begun, params=query)
        assert (refused.status_code, "location" in refused.headers) == (404, False)


def test_an_erased_consent_takes_nobody_back(played: Stage) -> None:
    made = create(played, headers=sent())
    played.service.node.ledger.keystore.destroy([consent_chain(made["consentId"])])
    assert played.service.http.get(made["_links"]["scaRedirect"]["href"]).status_code == 404


HOSTILE = [
    "https://thief.example/back",
    "https://app.example.thief.example/",
    "https://thiefapp.example/",
    "https://sub.app.example/",
    "https://app.example:8443/back",
    "https://app.example@thief.example/",
    "https://thief.example\\@app.example/",
    "https://app.example\\.thief.example/",
    "https://thief.example/#@app.example/",
    "https://app.example#/",
    "https:app.example/",
    "https:///thief.example",
    "https://app.example./",
    "https://[::1]/",
    "https://app.example:/",
    "https://app.example:99999999/",
    "//app.example/back",
    "javascript:alert(1)//app.example",
    "http://app.example/back",
    "https://app.example/a b",
    "https://app.example/\tb",
    "https://app.example/" + "a" * 2_048,
]


@pytest.mark.parametrize("address", HOSTILE)
def test_any_other_address_is_refused_and_nothing_is_recorded(played: Stage, address: str) -> None:
    before = played.recorded
    for headers, name in ((sent(address), "tpp-redirect-uri"), (sent(nok=address), "tpp-nok-redirect-uri")):
        refused = call(played, "POST", PATH, json=asked(), headers=headers)
        assert refusal(refused) == (400, "FORMAT_ERROR", name)
    assert played.recorded == before


def test_an_address_for_no_alone_is_refused(played: Stage) -> None:
    refused = call(played, "POST", PATH, json=asked(), headers={"tpp-nok-redirect-uri": NOK})
    assert refusal(refused) == (400, "PARAMETER_NOT_CONSISTENT", "tpp-nok-redirect-uri")


def test_the_origin_is_the_browsers() -> None:
    """A browser and this ledger never read two hosts in one address."""
    assert origin_of("https://App.Example/x") == origin_of("https://app.example:443?y") == "app.example:443"
    assert all(not is_own(address, ["https://app.example/back"]) for address in HOSTILE)


def test_domains_of_a_certificate_count_where_the_holder_lets_them(played: Stage) -> None:
    key = KeyPair.generate("ES256", "qwac-1")
    played.service.node.ledger.record_documents(key_added("tpp-1", key.kid, key.alg, "client", key.jwk))
    own = told(certificate(key, domains=("*.tpp.example", "TPP.example")))
    stranger = told(certificate(KeyPair.generate("ES256", "other"), domains=("tpp.example",)))
    for address, headers, holder, status in (
        ("https://tpp.example/x", own, "bank-b", 201),
        ("https://www.tpp.example/x", own, "bank-b", 201),
        ("https://www.tpp.example/x", own, "bank-a", 400),
        ("https://a.b.tpp.example/x", own, "bank-b", 400),
        ("https://tpp.example/x", stranger, "bank-b", 400),
        ("https://tpp.example/x", {}, "bank-b", 400),
    ):
        said = call(played, "POST", PATH, json=asked(), headers=headers | sent(address), holder=holder)
        assert said.status_code == status, (address, holder, said.text)


def test_a_holder_that_chose_oauth_links_to_its_authorization_servers_metadata(played: Stage) -> None:
    made = create(played, holder="bank-b")
    assert "scaRedirect" not in made["_links"]
    metadata = played.service.http.get(made["_links"]["scaOAuth"]["href"]).json()
    assert metadata["pushed_authorization_request_endpoint"].endswith("/holders/bank-b/oauth/par")
    assert metadata["authorization_endpoint"].endswith("/authorize")


def test_declining_is_told_at_the_status_and_not_by_the_address(played: Stage) -> None:
    """Whoever opens the address by hand has agreed to nothing."""
    made = create(played, headers=sent(nok=NOK))
    answer(played, at_the_bank(played, made)["request"], agreed=True)
    assert played.service.node.ledger.records.consent("bank-a", made["consentId"]).status is Status.AWAITING
    assert call(played, "GET", f"{PATH}/{made['consentId']}/status").json() == {"consentStatus": "received"}
