"""Delegations over HTTP: a principal gives and ends them, a provider reads its own and what it signed, nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.doors import ALLOWED, routes_of
from tests.api.service import Service, TokenClient
from tests.world import Party


@pytest.fixture
def cast(sqlite_service: Service) -> dict[str, Party]:
    world = sqlite_service.world
    return {
        "bank": world.holder("bank-a"),
        "app": world.recipient("tpp-1"),
        "other app": world.recipient("tpp-2"),
        "provider": world.join("sign-co", "technology-provider"),
        "other provider": world.join("other-sign", "technology-provider"),
        "auditor": world.join("auditor-1", "auditor"),
    }


def delegate(client: TokenClient, to: str, *acts: str) -> Any:
    return client.request("POST", "/partners/delegations", json={"delegate": to, "acts": list(acts)})


def acts(client: TokenClient, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/partners/acts?{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["acts"]
    return found


def test_a_principal_delegates_and_its_provider_signs_until_it_ends(
    sqlite_service: Service, cast: dict[str, Party]
) -> None:
    service, world = sqlite_service, sqlite_service.world
    consent = world.active_consent(cast["app"], cast["bank"])
    provider, app = cast["provider"], service.as_(cast["app"])

    def read() -> int:
        return service.post(provider.access(consent, on_behalf_of="tpp-1")).status_code

    assert read() == 403
    answer = delegate(app, "sign-co", "access.request", "access.receive", "access.request")
    assert answer.status_code == 201, answer.text
    assert read() == 201
    [mine] = service.as_(provider).get("/partners/delegations").json()["delegations"]
    assert mine["acts"] == ["access.receive", "access.request"]
    assert (mine["participant"], mine["delegate"], mine["ended_at"], mine["in_force"]) == (
        "tpp-1",
        "sign-co",
        None,
        True,
    )
    assert mine["granted_at"] == answer.json()["entries"][0]["index"]
    ended = app.request("DELETE", "/partners/delegations/sign-co?reason=contract-over")
    assert ended.status_code == 201
    assert read() == 403
    [mine] = app.get("/partners/delegations").json()["delegations"]
    assert (mine["ended_at"], mine["reason"], mine["in_force"]) == (
        ended.json()["entries"][0]["index"],
        "contract-over",
        False,
    )


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"delegate": "tpp-2", "acts": ["access.request"]}, 409, "technology-provider"),
        ({"delegate": "nobody", "acts": ["access.request"]}, 404, "nobody"),
        ({"delegate": "tpp-1", "acts": ["access.request"]}, 409, "another participant"),
        ({"delegate": "sign-co", "acts": ["access.everything"]}, 400, "access.everything"),
        ({"delegate": "sign-co", "acts": []}, 400, "acts"),
        ({"delegate": "sign-co"}, 400, "acts"),
    ],
    ids=["no provider", "unknown", "oneself", "no such act", "no act", "acts left out"],
)
def test_an_impossible_delegation_is_refused_by_name_and_nothing_is_recorded(
    sqlite_service: Service, cast: dict[str, Party], body: dict[str, Any], status: int, named: str
) -> None:
    app, size = sqlite_service.as_(cast["app"]), sqlite_service.size
    answer = app.request("POST", "/partners/delegations", json=body)
    assert answer.status_code == status, answer.text
    assert named in answer.json()["detail"]
    assert sqlite_service.size == size


def test_nobody_ends_or_sees_a_delegation_of_another(sqlite_service: Service, cast: dict[str, Party]) -> None:
    assert delegate(sqlite_service.as_(cast["app"]), "sign-co", "access.request").status_code == 201
    for who in ("other app", "bank", "other provider"):
        client = sqlite_service.as_(cast[who])
        assert client.get("/partners/delegations").json() == {"delegations": []}
        assert client.request("DELETE", "/partners/delegations/sign-co").status_code == 404
    assert len(sqlite_service.as_(cast["auditor"]).get("/partners/delegations").json()["delegations"]) == 1
    assert ("tpp-1", "sign-co") in sqlite_service.node.ledger.registry.delegations


def test_a_provider_reads_what_it_signed_for_whom_and_nothing_that_others_signed(
    sqlite_service: Service, cast: dict[str, Party]
) -> None:
    service, world, provider = sqlite_service, sqlite_service.world, cast["provider"]
    consent = world.active_consent(cast["app"], cast["bank"])
    delegate(service.as_(cast["app"]), "sign-co", "access.request")
    delegate(service.as_(cast["bank"]), "sign-co", "consent.suspend")
    [own] = world.record(cast["app"].access(consent))
    [allowed] = world.record(provider.access(consent, on_behalf_of="tpp-1"))
    [refused] = world.record(provider.access(consent, on_behalf_of="tpp-1", purpose="marketing"))
    [step] = world.record(provider.step("suspend", consent, by="holder", reason="audit", on_behalf_of="bank-a"))
    client = service.as_(provider)
    assert [one["index"] for one in acts(client)] == [step.index, refused.index, allowed.index]
    assert [one["on_behalf_of"] for one in acts(client)] == ["bank-a", "tpp-1", "tpp-1"]
    assert [one["decision"] for one in acts(client)] == [None, "deny", "allow"]
    assert [one["index"] for one in acts(client, "refused=true")] == [refused.index]
    assert [one["index"] for one in acts(client, "on_behalf_of=bank-a")] == [step.index]
    assert [one["index"] for one in acts(client, "act=access.request&refused=false")] == [refused.index, allowed.index]
    assert acts(client, f"since={world.clock.now() // 1000 + 60}") == []
    assert [one["index"] for one in acts(client, "limit=1")] == [step.index]
    assert client.get(f"/receipts/{allowed.index}").status_code == 200
    assert client.get(f"/receipts/{own.index}").status_code == 404
    assert client.get("/partners/acts?act=access.everything").status_code == 400
    assert acts(service.as_(cast["other provider"])) == []


def test_pages_of_acts_join_without_gap_or_repetition(sqlite_service: Service, cast: dict[str, Party]) -> None:
    service, world, provider = sqlite_service, sqlite_service.world, cast["provider"]
    consent = world.active_consent(cast["app"], cast["bank"])
    delegate(service.as_(cast["app"]), "sign-co", "access.request")
    expected = []
    for _ in range(3):
        world.record(cast["app"].access(consent))
        expected += [one.index for one in world.record(provider.access(consent, on_behalf_of="tpp-1"))]
    client, found, address = service.as_(provider), [], "/partners/acts?limit=2&on_behalf_of=tpp-1"
    while address:
        answer = client.get(address)
        found += [one["index"] for one in answer.json()["acts"]]
        address = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    assert found == expected[::-1]


def test_no_route_that_a_provider_may_read_tells_it_of_a_consent_that_it_had_no_part_in(
    sqlite_service: Service, cast: dict[str, Party]
) -> None:
    """Every GET there is, with the provider's own token: what is not open to everybody holds nothing of strangers."""
    service, world = sqlite_service, sqlite_service.world
    consent = world.active_consent(cast["other app"], cast["bank"])
    [access] = world.record(cast["other app"].access(consent))
    client = service.as_(cast["provider"])
    secrets = (consent.consent_id, consent.subject, consent.customer, *consent.accounts)
    refused = allowed = 0
    for method, template, access_rule in routes_of(service):
        if method != "GET" or access_rule == "open":
            continue
        path = template.replace("{consent_id}", consent.consent_id).replace("{name}", str(access.index))
        path = path.replace("{index}", str(access.index)).replace("{holder}", "bank-a")
        if "{" in path:
            continue
        answer = client.get(path)
        may = access_rule.removeprefix("token:") in ALLOWED["technology-provider"]
        assert may or answer.status_code in {401, 403, 404}, path
        if answer.status_code == 200:
            allowed += 1
            assert [one for one in secrets if one in answer.text] == [], path
        else:
            refused += 1
    assert allowed >= 4
    assert refused >= 10
