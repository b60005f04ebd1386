"""Hostile invitations and keys: a clear refusal, and nothing is recorded. On both engines where something is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.joining import proved
from api.cli.main import app
from api.client import LocalSigner
from api.partners.invitations import INVITED, Invitations
from api.tokens.keys import TokenSigner
from ledger.errors import InvalidInput, LooksAlike
from tests.api.service import Service

NEW = "app-new"


def keys(service: Service, participant: str = NEW, **changes: Any) -> list[dict[str, Any]]:
    origin = service.node.ledger.origin
    made = [(use, LocalSigner.generate(f"{participant}-{use}", "EdDSA")) for use in ("statement", "client")]
    return [{**proved(key, use, participant, origin), **changes} for use, key in made]


def invitation(service: Service, **changes: Any) -> str:
    now = service.node.ledger.clock.now() // 1000
    members: dict[str, Any] = {"roles": ["recipient"], "invited_by": "olaf", "hours": 1, "now": now, "known": ()}
    return service.node.invitations.make(NEW, "A new app", **{**members, **changes})


def join(service: Service, **body: Any) -> Any:
    return service.http.post("/partners/join", json=body)


def test_a_newcomer_is_registered_with_its_keys_and_may_do_nothing_yet(service: Service) -> None:
    answer = join(service, invitation=invitation(service), keys=keys(service))
    assert answer.status_code == 201, answer.text
    assert [entry["act"] for entry in answer.json()["entries"]] == [
        "participant.registered",
        "participant.suspended",
        "key.added",
        "key.added",
    ]
    one = service.node.ledger.registry.participant(NEW)
    assert (one.suspended, one.reason) == (True, f"{INVITED}olaf")
    again = join(service, invitation=invitation(service), keys=keys(service))
    assert again.status_code == 409


HOSTILE: dict[str, tuple[Callable[[Service], dict[str, Any]], int, str]] = {
    "no invitation": (lambda service: {"invitation": "x.y.z", "keys": keys(service)}, 403, "invitation"),
    "one that is over": (
        lambda service: {
            "invitation": invitation(service, now=service.node.ledger.clock.now() // 1000 - 7_200),
            "keys": keys(service),
        },
        403,
        "expired",
    ),
    "a key without its proof": (
        lambda service: {"invitation": invitation(service), "keys": keys(service, proof="x.y.z")},
        400,
        "proof",
    ),
    "a proof for another participant": (
        lambda service: {
            "invitation": invitation(service),
            "keys": [
                {**key, "proof": other["proof"]}
                for key, other in zip(keys(service), keys(service, "app-other"), strict=True)
            ],
        },
        400,
        "proof",
    ),
    "two keys of one use": (
        lambda service: {"invitation": invitation(service), "keys": [keys(service)[0], keys(service)[0]]},
        400,
        "one key for statements",
    ),
    "one key": (lambda service: {"invitation": invitation(service), "keys": keys(service)[:1]}, 400, "keys"),
    "a member more": (
        lambda service: {"invitation": invitation(service), "keys": keys(service), "roles": ["regulator"]},
        400,
        "roles",
    ),
}


@pytest.fixture
def stranger(tmp_path: Path) -> TokenSigner:
    return TokenSigner.make(tmp_path / "stranger.key")


def test_an_invitation_by_another_log_is_none(sqlite_service: Service, stranger: TokenSigner) -> None:
    origin, now = sqlite_service.node.ledger.origin, sqlite_service.node.ledger.clock.now() // 1000
    forged = Invitations(lambda: stranger, origin).make(
        NEW, "A new app", ["recipient"], invited_by="olaf", hours=1, now=now, known=()
    )
    before = sqlite_service.node.ledger.registry.size
    answer = join(sqlite_service, invitation=forged, keys=keys(sqlite_service))
    assert (answer.status_code, sqlite_service.node.ledger.registry.size) == (403, before)
    assert "signature" in answer.json()["detail"]


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_newcomer_is_refused_and_nothing_is_recorded(sqlite_service: Service, case: str) -> None:
    service = sqlite_service
    body, status, named = HOSTILE[case]
    made = body(service)
    before = service.node.ledger.registry.size
    answer = join(service, **made)
    assert answer.status_code == status, answer.text
    assert named in answer.json()["detail"]
    assert service.node.ledger.registry.size == before


def test_an_invitation_is_not_made_for_what_cannot_come_in(sqlite_service: Service) -> None:
    service = sqlite_service
    for changes in (
        {"roles": ["regulator"]},
        {"roles": []},
        {"hours": 0},
        {"hours": 721},
        {"invited_by": "not a code"},
    ):
        with pytest.raises(InvalidInput):
            invitation(service, **changes)
    join(service, invitation=invitation(service), keys=keys(service))
    registered = service.node.ledger.registry.participants.values()
    one = next(iter(registered))
    with pytest.raises(LooksAlike):
        service.node.invitations.make(
            f"{one.id}1", one.name, ["recipient"], invited_by="olaf", hours=1, now=0, known=registered
        )


def test_the_same_by_commands(tmp_path: Path) -> None:
    state = ["--state", str(tmp_path / "state")]
    run = CliRunner().invoke
    assert run(app, ["init", "--origin", "bank.example/log", *state]).exit_code == 0
    made = run(app, ["partner", "invite", NEW, "--name", "A new app", "--role", "recipient", "--by", "olaf", *state])
    assert made.exit_code == 0, made.output
    assert "/join#" in made.output
    assert run(app, ["partner", "admit", NEW, "--by", "olaf", *state]).exit_code == 1  # nobody has come in
    nowhere = run(app, ["partner", "join", "https://ledger.example/join#none", "--as", str(tmp_path / "own")])
    assert nowhere.exit_code == 1
    assert "invitation" in nowhere.output
