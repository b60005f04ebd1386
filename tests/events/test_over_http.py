"""Events through the running service: endpoints, deliveries, polling, what is published."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from api.cli.main import app as command_line
from api.events.tokens import EVENT_PREFIX, UK_REVOKED, VERIFICATION
from api.node.building import build_node
from api.node.founding import initialise
from api.node.settings import Settings
from tests.api.service import Service, TokenClient, running_service
from tests.conformance import files
from tests.events.kit import Receiver, claims_of, verified
from tests.standards.versions import official_file
from tests.world import ORIGIN


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    """A service in development; what is to be told is noted by `look`."""
    with running_service(sqlite_url, tmp_path / "state", web={"environment": "development"}) as running:
        yield running


def look(service: Service) -> None:
    """One turn of a sender."""

    async def turn() -> None:
        sender = service.node.events.sender(development=True)
        await sender.turn()
        await sender.settle()
        await sender.aclose()

    asyncio.run(turn())


def poll(client: TokenClient, **asked: Any) -> dict[str, Any]:
    answer = client.request("POST", "/events/poll", json={"returnImmediately": True} | asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    assert said.keys() == {"sets", "moreAvailable"}
    return dict(said)


def test_a_revocation_posted_over_http_is_pushed_and_both_sides_see_it(service: Service, receiver: Receiver) -> None:
    world = service.world
    bank, app = world.holder(), world.recipient()
    as_app = service.as_(app)
    sender = service.node.events.sender(development=True)
    sender.start()
    put = as_app.request("PUT", f"/participants/{app.id}/endpoint", json={"url": receiver.url})
    assert (put.status_code, put.json()) == (200, {"participant": "tpp-1", "url": receiver.url, "enabled": True})
    consent = world.active_consent(app, bank)
    answer = service.post(bank.step("revoke", consent))
    entry = answer.json()["entries"][0]

    authorised, revoked = receiver.next(), receiver.next()
    sender.stop()
    latest = service.node.events.queries.latest_of(app.id, 50)
    assert [one.index for one in latest][:1] == [entry["index"]], "the newest first"
    assert [one.index for one in latest] == sorted((one.index for one in latest), reverse=True)
    assert len(service.node.events.queries.latest_of(app.id, 1)) == 1

    key_set = service.http.get("/events/jwks").json()
    claims = verified(revoked.body, key_set)
    assert verified(authorised.body, key_set)["toe"] <= claims["toe"]
    assert (claims["iss"], claims["aud"]) == (service.base_url, app.id)
    said = claims["events"][EVENT_PREFIX + "consent-revoke"]
    assert (said["index"], said["time"], said["origin"]) == (entry["index"], entry["time"], ORIGIN)
    assert service.http.get("/jwks").json() != key_set
    mine = as_app.get(f"/receipts/{said['index']}")
    theirs = service.as_(bank).get(f"/receipts/{said['index']}")
    assert mine.status_code == theirs.status_code == 200
    assert mine.content == theirs.content


def test_an_endpoint_is_set_by_the_participant_or_the_operator_and_by_nobody_else(service: Service) -> None:
    world = service.world
    bank, app = world.holder(), world.recipient()
    path = f"/participants/{app.id}/endpoint"
    address = {"url": "https://tpp.example/events", "enabled": False}
    assert service.operator().request("PUT", path, json=address).json() == {"participant": app.id} | address
    assert service.as_(bank).request("PUT", path, json=address).status_code == 404
    assert service.operator().request("PUT", "/participants/nobody/endpoint", json=address).status_code == 404
    as_app = service.as_(app)
    for body in ({}, {"url": ""}, {"url": "https://tpp.example/", "more": 1}, {"url": 1}):
        assert as_app.request("PUT", path, json=body).status_code == 400
    refused = as_app.request("PUT", path, json={"url": "https://169.254.169.254/latest"})
    assert refused.json()["type"].endswith("/errors/invalid-input")
    assert refused.json()["member"] == "url"
    assert service.http.put(path, json=address).status_code == 401


def test_a_party_without_push_can_poll_and_acknowledge(service: Service) -> None:
    world = service.world
    bank, app, other = world.holder(), world.recipient(), world.recipient("tpp-2")
    consents = [world.active_consent(app, bank) for _ in range(3)]
    world.active_consent(other, bank)
    client, others = service.as_(app), service.as_(other)
    look(service)
    assert len(poll(client, maxEvents=2)["sets"]) == 2
    found = poll(client)
    assert not found["moreAvailable"]
    key_set = service.http.get("/events/jwks").json()
    told = [verified(token, key_set) for token in found["sets"].values()]
    assert [claims["jti"] for claims in told] == list(found["sets"])
    assert [claims["sub"].rsplit("/", 1)[1] for claims in told] == [consent.consent_id for consent in consents]
    first, second, third = found["sets"]

    page = poll(client, maxEvents=1, ack=[first], setErrs={second: {"err": "invalid_key", "description": "?"}})
    assert list(page["sets"]) == [third]
    assert poll(client, maxEvents=0)["moreAvailable"] is True
    assert poll(others, ack=[second, third])["sets"].keys().isdisjoint(found["sets"])
    assert set(poll(client)["sets"]) == {second, third}, "nobody acknowledges for another"
    assert poll(client, ack=[second, third, "unknown"]) == {"sets": {}, "moreAvailable": False}
    states = {one["event_id"]: one for one in client.get("/events/deliveries").json()["deliveries"]}
    assert {one["state"] for one in states.values()} == {"acknowledged"}
    assert all(one["acknowledged_at"] >= one["first_at"] and one["next_at"] is None for one in states.values())


def test_a_poll_waits_for_the_first_event(service: Service) -> None:
    world = service.world
    bank, app = world.holder(), world.recipient()
    client = service.as_(app)
    with ThreadPoolExecutor(1) as waiting:
        answer = waiting.submit(client.request, "POST", "/events/poll", json={})
        world.active_consent(app, bank)
        look(service)
        assert len(answer.result(30).json()["sets"]) == 1


def test_deliveries_are_ones_own_in_pages(service: Service) -> None:
    world = service.world
    bank, app = world.holder(), world.recipient()
    for _ in range(3):
        world.active_consent(app, bank)
    client = service.as_(app)
    look(service)
    seen, path = [], "/events/deliveries?limit=2&state=pending"
    while path:
        answer = client.get(path)
        seen += answer.json()["deliveries"]
        path = answer.links.get("next", {}).get("url", "")
    assert len(seen) == len({one["index"] for one in seen}) == 3
    assert service.as_(bank).get("/events/deliveries").json() == {"deliveries": []}
    assert client.get("/events/deliveries?state=none").status_code == 400


def test_polling_asks_for_the_documented_shape(service: Service) -> None:
    client = service.as_(service.world.recipient())
    for body in ({"maxEvents": -1}, {"ack": [1]}, {"ack": ["x"] * 1001}, {"setErrs": {"x": {"err": "Not A Code"}}}, []):
        assert client.request("POST", "/events/poll", json=body).status_code == 400, body


def test_open_deliveries_are_figures(service: Service) -> None:
    world = service.world
    bank, app = world.holder(), world.recipient()
    world.active_consent(app, bank)
    assert "consent_ledger_events_behind 0.0" not in service.operator().get("/metrics").text
    look(service)
    figures = service.operator().get("/metrics").text
    assert 'consent_ledger_event_deliveries{state="pending"} 1.0' in figures
    assert 'consent_ledger_event_deliveries{state="escalated"} 0.0' in figures
    assert "consent_ledger_events_behind 0.0" in figures


@pytest.mark.conformance
def test_the_uk_part_of_a_token_validates_against_the_uk_schemas(service: Service, receiver: Receiver) -> None:
    """OBEventNotification1 lists another kind of event only, so the envelope and the subject are judged."""
    schemas = official_file("**/event-notifications*.yaml")["components"]["schemas"]
    world = service.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    world.record(bank.step("revoke", consent))
    look(service)
    found = poll(service.as_(app))["sets"].values()
    [claims] = [said for said in map(claims_of, found) if UK_REVOKED in said["events"]]
    whole = schemas["OBEventNotification1"] | {"components": {"schemas": schemas}}
    whole["properties"] = whole["properties"] | {"events": {"type": "object"}}
    jsonschema.validate(claims, whole, format_checker=jsonschema.FormatChecker())
    event = claims["events"][UK_REVOKED]
    update = schemas["OBEventResourceUpdate1"] | {"components": {"schemas": schemas}}
    jsonschema.validate(event, update, format_checker=jsonschema.FormatChecker())
    assert event["subject"]["http://openbanking.org.uk/rid"] == consent.consent_id
    examples = [json.loads(path.read_text("utf-8-sig")) for path in files("standards/uk-ob/**/*.json")]
    told = [
        one["events"][UK_REVOKED] for one in examples if isinstance(one, dict) and UK_REVOKED in one.get("events", {})
    ]
    shown = [one for one in told if "subject" in one]  # a consent to confirm funds is told otherwise
    assert shown
    for example in shown:
        assert (event.keys(), event["subject"].keys()) == (example.keys(), example["subject"].keys())


def test_only_a_server_sends_and_only_if_it_may(sqlite_url: str, tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state", database_url=sqlite_url)
    initialise(settings, ORIGIN)
    for enabled, sends, expected in ((True, True, True), (True, False, False), (False, True, False)):
        node = build_node(settings.model_copy(update={"events_enabled": enabled}), serves=sends)
        assert (node.sender is not None) is expected
        node.stop()


def test_the_command_line_sets_an_endpoint_and_an_older_log_gets_a_key(sqlite_url: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    settings = Settings(state_dir=state, database_url=f"sqlite:///{state / 'ledger.sqlite'}")
    initialise(settings, ORIGIN)
    run = CliRunner().invoke
    assert (
        run(
            command_line, ["participant", "add", "tpp-1", "--role", "recipient", "--name", "App", "--state", str(state)]
        ).exit_code
        == 0
    )
    said = run(command_line, ["participant", "endpoint", "tpp-1", "https://tpp.example/in", "--state", str(state)])
    assert (said.exit_code, said.output) == (0, "tpp-1: https://tpp.example/in\n")
    node = build_node(settings)
    endpoint = node.events.queries.endpoint("tpp-1")
    node.stop()
    assert endpoint is not None
    assert (endpoint.url, endpoint.enabled) == ("https://tpp.example/in", True)
    assert (
        run(command_line, ["participant", "endpoint", "tpp-1", "http://tpp.example/", "--state", str(state)]).exit_code
        == 1
    )
    assert (
        run(
            command_line, ["participant", "endpoint", "nobody", "https://tpp.example/", "--state", str(state)]
        ).exit_code
        == 1
    )
    settings.event_key_file.unlink()
    assert run(command_line, ["migrate", "--state", str(state)]).exit_code == 0
    assert settings.event_key_file.stat().st_mode & 0o777 == 0o600


def test_an_endpoint_is_tried_with_a_signed_token_about_nothing(service: Service, receiver: Receiver) -> None:
    as_app = service.as_(service.world.recipient())
    assert as_app.request("POST", "/participants/tpp-1/endpoint/test").status_code == 404, "none is set"
    put = as_app.request("PUT", "/participants/tpp-1/endpoint", json={"url": receiver.url, "enabled": False})
    assert put.status_code == 200
    size = service.node.ledger.tree.size()

    tried = as_app.request("POST", "/participants/tpp-1/endpoint/test")
    assert tried.status_code == 200, tried.text
    said = tried.json()
    assert (said["delivered"], said["error"], said["url"]) == (True, None, receiver.url)
    claims = verified(receiver.next().body, service.http.get("/events/jwks").json())
    assert (claims["aud"], claims["jti"]) == ("tpp-1", said["event_id"])
    assert [*claims["events"]] == [VERIFICATION]
    assert claims.keys().isdisjoint({"sub", "txn"})

    receiver.status = 503
    assert as_app.request("POST", "/participants/tpp-1/endpoint/test").json()["error"] == "http-503"
    assert service.node.ledger.tree.size() == size
    assert as_app.request("GET", "/events/deliveries").json() == {"deliveries": []}, "a test is no delivery"

    noted = as_app.request("GET", "/events/attempts").json()["attempts"]
    assert [(one["status"], one["error"]) for one in noted] == [(503, "http-503"), (202, None)]
    members = {"event_id", "at", "kind", "index", "attempt", "status", "error", "milliseconds"}
    assert all(one.keys() == members and (one["kind"], one["index"]) == ("trial", None) for one in noted)
    assert noted[1]["event_id"] == said["event_id"]
    as_bank = service.as_(service.world.holder())
    assert as_bank.request("GET", "/events/attempts").json() == {"attempts": []}, "nobody else's"


def test_attempts_come_in_pages_from_the_newest_on(service: Service, receiver: Receiver) -> None:
    as_app = service.as_(service.world.recipient())
    as_app.request("PUT", "/participants/tpp-1/endpoint", json={"url": receiver.url})
    tried = [as_app.request("POST", "/participants/tpp-1/endpoint/test").json()["event_id"] for _ in range(3)]
    path, seen = "/events/attempts?limit=2", list[str]()
    while path:
        answer = as_app.request("GET", path)
        seen += [one["event_id"] for one in answer.json()["attempts"]]
        path = answer.headers.get("link", "<>").partition("<")[2].partition(">")[0]
    assert seen == tried[::-1]
    for wrong in ("before=now", "before=5", "limit=0"):
        assert as_app.request("GET", f"/events/attempts?{wrong}").status_code == 400


def test_a_test_goes_to_nobody_elses_endpoint_and_to_no_private_address(service: Service, receiver: Receiver) -> None:
    as_app, as_bank = service.as_(service.world.recipient()), service.as_(service.world.holder())
    as_app.request("PUT", "/participants/tpp-1/endpoint", json={"url": receiver.url})
    assert as_bank.request("POST", "/participants/tpp-1/endpoint/test").status_code == 404
    service.node.events.store.set_endpoint("tpp-1", "https://10.0.0.1/events", enabled=True, now=1)
    tried = as_app.request("POST", "/participants/tpp-1/endpoint/test")
    assert (tried.status_code, tried.json()["error"]) == (200, "address-refused")
    assert receiver.heard.empty()
