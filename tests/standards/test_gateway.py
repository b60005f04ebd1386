"""The gateway: how it is made and let act, what is served without one, and what it keeps."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from api.cli.main import app as command_line
from api.node.building import short_lived
from api.node.founding import initialise
from api.node.node import Events
from api.node.settings import Settings
from api.office.configuration import read_gateway_file
from api.office.facts import NOTE_LIMIT
from api.office.gateway import HOLDER_ACTS, RECIPIENT_ACTS
from api.office.office import Standing
from api.office.wish import Wish
from ledger.errors import BadEncoding, Corrupt, InvalidInput, NotFound, Unavailable
from ledger.queries.events import Notice
from tests.api.service import running_service
from tests.keys import KeyPair
from tests.standards.berlin import call, create, succeed
from tests.standards.kit import Stage
from tests.world import ORIGIN, World


def run(state: Path, *arguments: str) -> str:
    done = CliRunner().invoke(command_line, [*arguments, "--state", str(state)])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_gateway_is_made_registered_and_delegated_to_on_the_command_line(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    initialise(settings, ORIGIN)
    with short_lived(settings) as node:
        world = World(node.ledger)
        world.holder("bank-a")
        world.recipient("tpp-1")
        assert node.office is None
    assert "gateway.json" in run(settings.state_dir, "gateway", "init", "gw-1", "--name", "Example Gateway Ltd")
    for participant in ("bank-a", "tpp-1"):
        run(settings.state_dir, "gateway", "delegate", participant)
    for name in ("gateway.key.pem", "gateway-messages.key.pem"):
        assert (settings.state_dir / name).stat().st_mode & 0o077 == 0
    again = CliRunner().invoke(command_line, ["gateway", "init", "gw-2", "--state", str(settings.state_dir)])
    assert (again.exit_code, "has a gateway" in again.output) == (1, True)
    with short_lived(settings) as node:
        registry = node.ledger.registry
        assert registry.participants["gw-1"].roles == ("technology-provider",)
        assert registry.delegations["tpp-1", "gw-1"] == set(RECIPIENT_ACTS)
        assert registry.delegations["bank-a", "gw-1"] == set(HOLDER_ACTS)
        assert node.office is not None


def test_one_command_makes_everything_a_gateway_needs_and_nothing_twice(tmp_path: Path) -> None:
    """Twenty-seven commands before: two banks and two apps, their keys, delegations, addresses and a register."""
    settings = Settings(state_dir=tmp_path / "state")
    initialise(settings, ORIGIN)
    keys = {name: KeyPair.generate("ES256", name) for name in ("bank-a-s", "bank-a-c", "tpp-1-s", "tpp-1-c")}
    for name, key in keys.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"keys": [key.jwk | {"kid": key.kid}]}))
    file = tmp_path / "gateway.toml"
    file.write_text(
        """
        gateway = {id = "gw-1", name = "Example Gateway Ltd"}
        [[registers]]
        issuer = "OpenBanking Ltd"
        form = "uk"
        jwks_uri = "https://keys.example/jwks"
        software = {x1 = "tpp-1"}
        [holders.bank-a]
        name = "Bank A"
        zone = "Europe/London"
        acts = ["consent.revoke"]
        statement_keys = "bank-a-s.json"
        client_keys = "bank-a-c.json"
        [holders.bank-b]
        name = "Second Bank"
        [recipients.tpp-1]
        name = "Plum"
        redirect_uris = ["https://app.example/back"]
        statement_keys = "tpp-1-s.json"
        client_keys = "tpp-1-c.json"
        """
    )
    assert "Start the servers anew" in run(settings.state_dir, "gateway", "setup", str(file))
    with short_lived(settings) as node:
        registry, size = node.ledger.registry, node.ledger.registry.size
        assert registry.delegations["tpp-1", "gw-1"] == set(RECIPIENT_ACTS)
        assert registry.delegations["bank-a", "gw-1"] == {*HOLDER_ACTS, "consent.revoke"}
        assert registry.delegations["bank-b", "gw-1"] == set(HOLDER_ACTS)
        assert {key.use for key in registry.keys.values() if key.participant == "tpp-1"} == {"statement", "client"}
        assert node.office is not None
        assert node.office.gateway.options("bank-a").zone == "Europe/London"
        assert node.office.gateway.redirect_uris("tpp-1") == ("https://app.example/back",)
        assert node.registering.offered
    assert "nothing to do" in run(settings.state_dir, "gateway", "setup", str(file))
    with short_lived(settings) as node:
        assert node.ledger.registry.size == size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[holders.bank-a]\n", "give its name"),
        ('[holders.bank-a]\nname = "A"\nzone = "Nowhere/Else"\n', "zone"),
        ('[holders.bank-a]\nname = "A"\nredirect_uris = []\n', "redirect_uris"),
        ('[recipients.app]\nname = "A"\nredirect_uris = ["http://app.example/"]\n', "redirect_uris"),
        ('[recipients.app]\nname = "A"\nclient_keys = "none.json"\n', "none.json does not exist"),
        ('[recipients.app]\nname = "A"\nacts = ["access.request"]\n[holders.app]\nname = "A"\n', "app"),
        ("[[registers]]\nissuer = 'x'\nform = 'uk'\n", "jwks_uri or a jwks_file"),
        ("[nothing", "not a setup of a gateway"),
    ],
)
def test_a_setup_that_does_not_fit_records_nothing_of_it(tmp_path: Path, text: str, said: str) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    initialise(settings, ORIGIN)
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    done = CliRunner().invoke(command_line, ["gateway", "setup", str(file), "--state", str(settings.state_dir)])
    assert done.exit_code == 1
    assert said in done.output.replace("\n", " "), done.output
    with short_lived(settings) as node:
        assert not {"bank-a", "app"} & node.ledger.registry.participants.keys()


def test_no_default_delegation_lets_a_gateway_authorise_or_read() -> None:
    acts = {*RECIPIENT_ACTS, *HOLDER_ACTS}
    assert not acts & {"consent.authorise", "consent.resume", "access.request", "access.batch", "subject.enrol"}


def test_delegating_without_a_gateway_says_what_to_do(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    initialise(settings, ORIGIN)
    done = CliRunner().invoke(command_line, ["gateway", "delegate", "tpp-1", "--state", str(settings.state_dir)])
    assert (done.exit_code, "gateway init" in done.output) == (1, True)


def test_without_a_gateway_no_standard_is_served(sqlite_url: str, tmp_path: Path) -> None:
    with running_service(sqlite_url, tmp_path / "state") as service:
        client = service.as_(service.world.recipient())
        for path in ("/open-banking/v4.0/aisp/account-access-consents/x", "/v1/consents/x"):
            answer = client.get(f"/holders/bank-a{path}")
            assert answer.status_code == 404
        assert not [path for path in service.http.get("/openapi.json").json()["paths"] if path.startswith("/holders")]


@pytest.mark.parametrize(
    "changed", [{"zone": "Europe/Atlantis"}, {"frequency_per_day": 0}, {"zone": "../etc"}, {"unknown": 1}]
)
def test_a_gateway_file_that_does_not_fit_is_refused_by_name(tmp_path: Path, changed: dict[str, object]) -> None:
    file = {"participant": "gw-1", "kid": "gw-1-1", "key_file": "a", "message_kid": "b", "message_key_file": "c"}
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps(file))
    read_gateway_file(path)
    path.write_text(json.dumps(file | {"holders": {"bank-a": changed}}))
    with pytest.raises(InvalidInput, match=r"gateway\.json is not a gateway file"):
        read_gateway_file(path)


def test_an_amendment_keeps_both_wordings_and_shows_the_one_in_force(played: Stage) -> None:
    office = played.service.node.office
    assert office is not None
    consent_id = create(played)["consentId"]
    played.authorise(consent_id)
    first = office.standing("tpp-1", "bank-a", consent_id)
    new_words = b'{"until": "later"}'

    def later(standing: Standing) -> Wish:
        return Wish(
            permissions=standing.terms.permissions,
            standard="own",
            standard_version="1",
            expires_at=standing.terms.expires_at + 86_400,
            reauthenticate_days=90,
        )

    waiting = office.amend("tpp-1", "bank-a", consent_id, later, new_words)
    assert (waiting.facts, waiting.terms) == (first.facts, first.terms)
    assert waiting.consent.pending is not None
    assert (waiting.change.act, waiting.change.signed_by, waiting.change.by) == (
        "consent.amend",
        "gateway",
        "recipient",
    )
    played.authorise(consent_id, subject=first.consent.subject, customer=played.customers[consent_id])
    after = office.standing("tpp-1", "bank-a", consent_id)
    assert (after.facts, after.terms.expires_at) == (new_words, first.terms.expires_at + 86_400)
    assert after.consent.version == 2
    with pytest.raises(NotFound):
        office.amend("tpp-2", "bank-a", consent_id, later, new_words)


def test_our_description_words_refusals_as_the_standard_does(played: Stage) -> None:
    document = played.service.http.get("/openapi.json").json()
    operation = document["paths"]["/holders/{holder}/v1/consents"]["post"]
    assert "FORMAT_ERROR" in operation["responses"]["400"]["description"]
    assert operation["security"] == [{"dpop": ["consents:write"], "proof": []}]
    for path, operations in document["paths"].items():
        for method, one in operations.items():
            if path.startswith("/holders/") and "/.well-known/" not in path:  # metadata are for everybody
                assert one["security"], f"{method} {path} is open to anybody"
                assert {"500", "503"} <= one["responses"].keys(), f"{method} {path}"


def test_a_note_is_bound_to_its_consent_and_name_and_never_changed(played: Stage) -> None:
    office = played.service.node.office
    assert office is not None
    notes = office.notes
    one, other = create(played)["consentId"], create(played)["consentId"]
    assert notes.add(one, "remark", b"first")
    assert not notes.add(one, "remark", b"second")
    assert (notes.read(one, "remark"), notes.read(other, "remark")) == (b"first", None)
    with pytest.raises(BadEncoding, match="at most"):
        notes.add(one, "long", b"x" * (NOTE_LIMIT + 1))
    engine = create_engine(played.service.node.settings.database_url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM standard_notes WHERE sealed LIKE '%first%'")).scalar() == 0
        connection.execute(text("UPDATE standard_notes SET name = 'moved' WHERE name = 'remark'"))
    engine.dispose()
    with pytest.raises(Corrupt):
        notes.read(one, "moved")
    notes.remove(one, "moved")
    assert notes.names(one, "moved") == []


@pytest.mark.conformance
def test_a_holder_that_has_not_delegated_keeps_both_consents(played: Stage) -> None:
    customer = {"customer": "a" * 22, "subject": "b" * 22}
    bank = played.world.holder("bank-without-delegation")
    played.banks[bank.id] = bank
    older, newer = (create(played, holder=bank.id)["consentId"] for _ in range(2))
    for consent_id in (older, newer):
        played.authorise(consent_id, bank.id, **customer)
    succeed(played)
    for consent_id in (older, newer):
        answer = call(played, "GET", f"/v1/consents/{consent_id}/status", holder=bank.id)
        assert answer.json() == {"consentStatus": "valid"}


def test_a_follower_of_the_log_sees_an_entry_again_when_it_could_not_act(played: Stage) -> None:
    events: Events = played.service.node.events
    create(played)
    shown: list[list[int]] = [[], []]

    def turn(also: object) -> None:
        async def once() -> None:
            sender = events.sender(development=False, also=also)  # type: ignore[arg-type]
            try:
                await sender.turn()
            finally:
                await sender.aclose()

        asyncio.run(once())

    turn(lambda _: None)
    consent_id = create(played)["consentId"]
    played.authorise(consent_id)

    def unable(notice: Notice) -> None:
        shown[0].append(notice.index)
        raise Unavailable("not now")

    with pytest.raises(Unavailable):
        turn(unable)
    turn(lambda notice: shown[1].append(notice.index))
    assert shown[0]
    assert shown[0][0] == shown[1][0]
    before = list(shown[1])
    turn(lambda notice: shown[1].append(notice.index))
    assert shown[1] == before
