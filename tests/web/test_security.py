"""Sessions, cross-site requests, headers, other people's things, ways out: for every route there is."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi.routing import APIRoute

from api.client.signing import LocalSigner
from api.node.settings import Settings
from api.web.app import ROUTERS
from api.web.devidp import PATH, DevelopmentProvider, NotForThisPlace
from api.web.people import ABSOLUTE_MS, IDLE_MS
from api.web.security import CSP, HOME, local_path
from ledger.clock import SystemClock
from tests.clocks import HandClock
from tests.histories import Told, bring, row, sheet
from tests.web.site import MEI, OLGA, WEI, Site, csrf_of, open_site
from tests.world import record_index_head

ALL_ROUTES = [
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]
ROUTES = [(method, path) for method, path in ALL_ROUTES if not path.startswith("/console")]
"""The customers' routes. The consoles have tests of their own."""
DEV_ROUTES = [("GET", f"{PATH}/authorize"), ("POST", f"{PATH}/authorize"), ("GET", f"{PATH}/jwks")]
GETS = [path for method, path in ROUTES if method == "GET"]
POSTS = [path for method, path in ROUTES if method == "POST"]
PUBLIC = {
    "/authorize",
    "/authorize/{authorisation}",
    "/join",
    "/brand.css",
    "/brand/logo",
    "/embed.js",
    "/my/overview.json",
    "/",
    "/language",
    "/logo/{participant}",
    "/manifest.webmanifest",
    "/reading",
    "/verify",
    "/static/{name}",
    "/sign-in",
    "/sign-in/start",
    "/sign-in/callback",
}
NEEDS_PARAMETERS = {
    "/language": {"to": "en"},
    "/my/approve": {"consent": "0b0f8a4e-0000-4000-8000-000000000000"},
    "/my/connections/{key}/accounts": {"account": "A" * 22},
    "/my/connections/{key}/separate": {"kind": "provision"},
}


def test_the_table_of_routes_is_not_empty() -> None:
    assert len(GETS) > 15
    assert len(POSTS) > 8
    assert {method for method, _ in ROUTES} == {"GET", "POST"}


def address(path: str, *, key: int = 0, index: int = 0) -> str:
    filled = path.replace("{key}", str(key)).replace("{index}", str(index)).replace("{name}", "style.css")
    return filled.replace("{step}", "pause").replace("{form}", "csv")


@pytest.mark.parametrize(("method", "path"), [*ALL_ROUTES, *DEV_ROUTES])
def test_every_answer_carries_the_policy_and_may_not_be_framed(shared_site: Site, method: str, path: str) -> None:
    with shared_site.client(None) as client:
        answer = client.request(method, address(path), follow_redirects=False)
    assert answer.headers["content-security-policy"] == CSP
    assert "frame-ancestors 'none'" in CSP
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "publickey-credentials-get=(self)" in answer.headers["permissions-policy"]
    if path not in {"/static/{name}", "/embed.js"}:
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", sorted(set(GETS) - PUBLIC))
def test_every_personal_page_sends_strangers_to_the_sign_in(shared_site: Site, path: str) -> None:
    with shared_site.client(None) as client:
        answer = client.get(address(path), params=NEEDS_PARAMETERS.get(path), follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=")


HOSTILE_ORIGINS = [
    pytest.param({"origin": "https://evil.example", "sec-fetch-site": "cross-site"}, id="another site"),
    pytest.param({"origin": "null", "sec-fetch-site": "cross-site"}, id="a sandboxed frame"),
    pytest.param({"origin": "https://evil.example"}, id="an old browser on another site"),
    pytest.param({"sec-fetch-site": "same-site"}, id="a sibling host"),
    pytest.param({"origin": "null"}, id="nothing to go by"),
]


@pytest.mark.parametrize("headers", HOSTILE_ORIGINS)
@pytest.mark.parametrize("path", [path for path in POSTS if not path.startswith(PATH)])
def test_no_form_of_another_site_is_taken(shared_site: Site, path: str, headers: dict[str, str]) -> None:
    # Not the development identity provider: it is another site to us, and its answers are bound by state and nonce.
    site = shared_site
    with site.client() as client:
        token = csrf_of(client.get("/my/settings"))
        before = site.world.ledger.tree.size()
        for name in ("origin", "sec-fetch-site"):
            del client.headers[name]
        answer = client.post(address(path), data={"csrf": token}, headers=headers, follow_redirects=False)
    assert answer.status_code == 403
    assert site.world.ledger.tree.size() == before


@pytest.mark.parametrize("token", ["", "x" * 43, None])
@pytest.mark.parametrize("path", POSTS)
def test_no_form_without_the_sessions_own_token_is_taken(shared_site: Site, path: str, token: str | None) -> None:
    site = shared_site
    with site.client() as client, site.client(OLGA) as other:
        sent = csrf_of(other.get("/my/settings")) if token is None else token
        answer = client.post(address(path), data={"csrf": sent}, follow_redirects=False)
    assert answer.status_code == 403


@pytest.mark.parametrize(("method", "path"), [one for one in ROUTES if "{key}" in one[1] or "{index}" in one[1]])
def test_another_customers_records_do_not_exist(shared_site: Site, method: str, path: str) -> None:
    site = shared_site
    consent = site.shared(MEI, authorisers_required=2, reauthenticate_days=90)
    site.agree(consent, WEI)
    index = site.read(consent).index if "receipts" in path else site.world.ledger.tree.size() - 2
    if "earlier" in path:
        past = Told(sheet(site.people[MEI].subject, [row()]))
        index = 1 + bring(lambda act, **said: site.world.ledger.record(site.bank.sign(act, **said))[0].index, past)
    if path.endswith("complete/file"):  # before an index-head nothing is proved to anybody
        record_index_head(site.world.ledger)
    before = site.world.ledger.tree.size()
    target = address(path, key=site.key(consent), index=index)
    nothing = address(path, key=999_999, index=999_999)
    part = {"account": consent.accounts[0], "kind": "provision"}
    with site.client(OLGA) as client:
        data = {"csrf": csrf_of(client.get("/my/settings")), **part} if method == "POST" else None
        theirs = client.request(method, target, params=part, data=data, follow_redirects=False)
        missing = client.request(method, nothing, params=part, data=data, follow_redirects=False)
    assert theirs.status_code == 404
    assert "Plum" not in theirs.text
    # Neither the page nor the status tells whether the thing exists.
    scrubbed = [re.sub(r"\d+|csrf.*?>", "", page.text) for page in (theirs, missing)]
    assert scrubbed[0] == scrubbed[1] or "no entry" in missing.text
    assert missing.status_code == 404
    assert site.world.ledger.tree.size() == before
    # The control: it is there for her, and for whom she shares the relationship with.
    if method == "GET" and not path.endswith(("/live", "/stopped", "/{step}")):
        with site.client(WEI) as client:
            assert client.get(target, params=part).status_code == 200


def test_another_customers_request_cannot_be_answered_once_it_is_hers(shared_site: Site) -> None:
    site = shared_site
    consent = site.agree(site.ask(authorisers_required=2))
    with site.client(OLGA) as client:
        assert client.get("/my/approve", params={"consent": consent.consent_id}).status_code == 404
        token = csrf_of(client.get("/my/settings"))
        for path in ("/my/approve/review", "/my/approve/decline"):
            answer = client.post(path, data={"csrf": token, "consent": consent.consent_id})
            assert answer.status_code == 404


@pytest.mark.parametrize(
    "hostile",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/%0d%0aset-cookie:a=b\r\n",
        "javascript:alert(1)",
        "/a\\b",
        "\\\\evil.example",
        "http:evil",
        "/ /evil",
        "///evil.example",
        "/\t/evil.example",
        "https:/evil.example",
    ],
)
@pytest.mark.parametrize("path", ["/language", "/sign-in", "/sign-in/start"])
def test_nobody_is_sent_elsewhere(shared_site: Site, path: str, hostile: str) -> None:
    assert local_path(hostile) == HOME
    with shared_site.client() as client:
        answer = client.get(path, params={"to": "en", "next": hostile}, follow_redirects=False)
        assert urlsplit(answer.headers["location"]).netloc in {"", urlsplit(shared_site.url).netloc}
        assert "evil" not in urlsplit(answer.headers["location"]).path
        # And after the whole way through the identity provider.
        ended = shared_site.sign_in(client, MEI, f"/sign-in/start?{httpx2.QueryParams({'next': hostile})}")
        assert str(ended.url).startswith(shared_site.url)


def test_the_session_changes_its_name_at_sign_in_and_cannot_be_planted(shared_site: Site) -> None:
    with shared_site.client(None) as client:
        client.get("/sign-in")
        before = client.cookies["session"]
        shared_site.sign_in(client, MEI)
        after = client.cookies["session"]
        assert before != after
        assert len(after) >= 43
        shared_site.sign_in(client, MEI, "/sign-in/start?fresh=1")
        assert client.cookies["session"] != after
    for planted in (before, after, "a" * 43):
        with shared_site.client(None) as client:
            client.cookies.set("session", planted)
            assert client.get("/my/connections", follow_redirects=False).status_code == 303


def test_the_cookie_is_for_this_host_and_no_script(shared_site: Site) -> None:
    with shared_site.client(None) as client:
        cookie = client.get("/sign-in").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "domain" not in cookie
    assert "path=/;" in cookie


def test_signing_out_ends_the_session_on_the_server(shared_site: Site) -> None:
    with shared_site.client() as client, shared_site.client() as phone:
        kept = client.cookies["session"]
        client.post("/sign-out", data={"csrf": csrf_of(client.get("/my/settings"))})
        client.cookies.set("session", kept)
        assert client.get(HOME, follow_redirects=False).status_code == 303
        assert phone.get(HOME, follow_redirects=False).status_code == 200
        phone.post("/sign-out", data={"csrf": csrf_of(phone.get("/my/settings")), "everywhere": "1"})
        assert phone.get(HOME, follow_redirects=False).status_code == 303


def test_a_session_ends_when_idle_and_in_any_case(tmp_path: Path) -> None:
    clock = HandClock()
    with open_site(tmp_path / "site", clock=clock) as site, site.client() as client:
        clock.advance(seconds=IDLE_MS / 1000 - 1)
        assert client.get(HOME, follow_redirects=False).status_code == 200
        clock.advance(seconds=IDLE_MS / 1000)
        assert client.get(HOME, follow_redirects=False).status_code == 303
        site.sign_in(client, MEI)
        for _ in range(int(ABSOLUTE_MS / IDLE_MS * 2) - 1):
            clock.advance(seconds=IDLE_MS / 2000)
            assert client.get(HOME, follow_redirects=False).status_code == 200
        clock.advance(seconds=IDLE_MS / 2000)
        assert client.get(HOME, follow_redirects=False).status_code == 303


def test_steps_that_matter_need_a_fresh_proof_and_stopping_one_does_not(tmp_path: Path) -> None:
    clock = HandClock()
    with open_site(tmp_path / "site", clock=clock) as site, site.client() as client:
        first, second = site.shared(), site.shared()
        asked = site.ask()
        page = client.get("/my/approve", params={"consent": asked.consent_id})
        reference = re.findall(r'name="account"\s+value="([^"]+)"', page.text)[0]
        form = {
            "csrf": csrf_of(page),
            "consent": asked.consent_id,
            "account": reference,
            "separate": ["provision", "sensitive"],
        }
        due = site.shared(reauthenticate_days=90)
        clock.advance(seconds=301)
        client.post("/my/approve/review", data=form)
        size = site.world.ledger.tree.size()
        for path in (
            "/my/approve/agree",
            "/my/stop-all",
            "/my/passkeys",
            "/my/erase",
            f"/my/connections/{site.key(first)}/resume",
            f"/my/connections/{site.key(due)}/renew",
        ):
            answer = client.post(path, data={"csrf": form["csrf"]}, follow_redirects=False)
            assert answer.headers["location"].startswith("/step-up?next="), path
        for path in ("/my/export/csv", "/my/export/json"):
            assert client.get(path, follow_redirects=False).headers["location"].startswith("/step-up?next=")
        assert site.world.ledger.tree.size() == size
        client.post(f"/my/connections/{site.key(first)}/stop", data={"csrf": form["csrf"]})
        assert site.world.ledger.records.consent(site.bank.id, first.consent_id).status == "REVOKED"
        site.sign_in(client, MEI, "/sign-in/start?fresh=1&next=/my/stop-all")
        client.post("/my/stop-all", data={"csrf": csrf_of(client.get("/my/stop-all"))})
        assert site.world.ledger.records.consent(site.bank.id, second.consent_id).status == "REVOKED"


def test_accounts_that_are_not_hers_cannot_be_shared(shared_site: Site) -> None:
    site = shared_site
    asked = site.ask()
    foreign = site.agent.accounts(site.people[OLGA], asked.consent_id)[0].reference
    with site.client() as client:
        page = client.get("/my/approve", params={"consent": asked.consent_id})
        form = {"csrf": csrf_of(page), "consent": asked.consent_id, "account": foreign}
        answer = client.post("/my/approve/review", data=form)
    assert answer.status_code == 422
    assert "choose at least one account" in answer.text


def test_an_unknown_address_answers_a_program_with_a_problem_and_a_person_with_a_page(shared_site: Site) -> None:
    with shared_site.client(None) as client:
        assert "<html" in client.get("/nowhere").text
        answer = client.get("/nowhere", headers={"accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "place",
    [
        {"environment": "production"},
        {"host": "0.0.0.0"},  # noqa: S104 (refused)
        {"host": "ledger.example"},
        {"workers": 2},
        {"base_url": "https://ledger.example"},
    ],
)
def test_the_development_provider_refuses_to_run_where_customers_might_be(place: dict[str, object]) -> None:
    known: dict[str, object] = {
        "environment": "development",
        "host": "127.0.0.1",
        "workers": 1,
        "base_url": "http://localhost:1",
        "client_id": "x",
        "client_key": LocalSigner.generate("x", "ES256"),
        "customers": (),
        "clock": SystemClock(),
    }
    DevelopmentProvider(**known)  # type: ignore[arg-type]
    with pytest.raises(NotForThisPlace):
        DevelopmentProvider(**(known | place))  # type: ignore[arg-type]


def test_production_takes_no_customers_file_and_no_plain_issuer(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="customers_file"):
        Settings(state_dir=tmp_path, web={"customers_file": tmp_path / "c.json"})
    with pytest.raises(ValueError, match="https"):
        Settings(state_dir=tmp_path, web={"oidc_issuer": "http://idp.example", "oidc_client_key_file": tmp_path / "k"})
