"""How each command of `consent-ledger` is run beside a server. A command that is not listed here turns a test red."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.cli.main import PLACES, loaded
from ledger.catalogue import OPENS_UNDER
from ledger.notes.keys import Ed25519NoteSigner
from tests.keys import KeyPair
from tests.registers.feeds import feed


@dataclass(frozen=True)
class Place:
    """What commands are about."""

    state: Path
    folder: Path
    """Empty, for what this round writes."""
    base_url: str
    vkey: str
    port: int
    """Free for a second server."""
    round: int = 0

    def name(self, what: str) -> str:
        """An identifier of this round."""
        return f"{what}-{self.round}"

    def jwk(self) -> str:
        path = self.folder / "key.jwk"
        path.write_text(json.dumps(KeyPair.generate("EdDSA", "some").jwk))
        return str(path)

    def shard_origin(self) -> str:
        return f"ledger.example/{self.name('shard')}"

    def shard(self) -> str:
        """The verifier key of a log that nobody serves."""
        return Ed25519NoteSigner(self.shard_origin(), os.urandom(32)).vkey.format()

    def own(self) -> Path:
        """A participant's folder."""
        return self.folder / "own"

    def draft(self) -> str:
        path = self.folder / "draft.json"
        path.write_text('{"freeze": {}}')
        return str(path)

    def regulators(self) -> str:
        path = self.folder / "regulators.json"
        path.write_text(f'{{"regulators": {{"{self.name("regulator")}": {{"holders": ["bank-b"]}}}}}}')
        return str(path)

    def openapi(self) -> str:
        path = self.folder / "openapi.json"
        path.write_text('{"paths": {}}')
        return str(path)

    def setup(self) -> str:
        path = self.folder / "gateway.toml"
        path.write_text('[holders.bank-of-setup]\nname = "Bank of the setup"\n')
        return str(path)

    def feed(self) -> str:
        path = self.folder / "feed.json"
        path.write_bytes(feed())
        return str(path)


OFFICERS = ("--approved-by", "officer-1", "--approved-by", "officer-2")
ORDERED = (0,) if OPENS_UNDER > 2 else (1,)
"""How an order ends on a new log."""


@dataclass(frozen=True)
class Run:
    """One way to run a command."""

    arguments: Callable[[Place], list[str]]
    ends: tuple[int, ...] = (0,)
    """Exit statuses that are right here."""
    serves: bool = False
    """It runs until it is told to stop, and then ends by that signal, in order."""
    answers: bool = True
    """Whether one that serves speaks HTTP: it is asked whether it is ready."""
    on_state: bool = True
    """It takes --state."""


def _said(*words: str) -> Callable[[Place], list[str]]:
    return lambda _: list(words)


def _own(*words: str) -> Run:
    """A participant's command, whose key nobody has registered."""
    return Run(lambda place: [*words, "--as", str(place.own())], ends=(1,), on_state=False)


ELSEWHERE = {
    ("demo",): "it makes a ledger in a folder of its own; tests/demo runs it",
    ("sandbox",): "it makes logs in a folder of its own; tests/sandbox runs it",
}

COMMANDS: dict[tuple[str, ...], list[Run]] = {
    ("init",): [Run(_said("--origin", "ledger.example/other"), ends=(1,))],  # there is a log
    ("migrate",): [Run(_said())],
    ("rebuild-map",): [Run(_said())],
    ("trust-clock",): [Run(_said("--this-time-is-right"))],
    ("sign-here",): [Run(_said("--this-is-the-newest-copy"))],
    ("serve",): [Run(lambda place: ["--port", str(place.port)], serves=True)],
    ("export",): [
        Run(lambda place: [str(place.folder / "bundle"), "--reason", "test"]),
        Run(lambda place: [str(place.folder / "bundle.zip"), "--evidence", "none"]),
        Run(lambda place: [str(place.folder / "pack.zip"), "--participant", "bank-a"]),
    ],
    ("publish",): [
        Run(lambda place: [str(place.folder / "public")]),
        Run(lambda place: [str(place.folder / "public"), "--follow"], serves=True, answers=False),
    ],
    ("chainpoint",): [Run(_said("1"))],
    ("tier", "move"): [Run(_said("--older-than", "31"), ends=(1,))],  # no setting says where to
    ("tier", "return"): [Run(_said(), ends=(1,))],
    ("tier", "show"): [Run(_said())],
    ("config", "show"): [Run(_said())],
    ("doctor",): [Run(_said())],
    ("backup",): [Run(lambda place: [str(place.folder / "backup")])],
    ("restore",): [Run(lambda place: [str(place.folder / "backup"), "--replace"], ends=(1,))],  # a server runs
    ("key", "new"): [Run(_said(), ends=(0, 1))],  # 1: an earlier round made it
    ("key", "rotate"): [Run(_said("--new"), ends=(0, 1))],  # 1: a round that was cut short left an overlap
    ("key", "show"): [Run(_said())],
    ("key", "retire"): [Run(_said("--newer"))],  # the others know the older key only
    ("key", "compromised"): [Run(lambda place: [place.vkey, "--from-size", "999999999"], ends=(1,))],  # not reached
    ("set", "add"): [Run(lambda place: [place.shard(), "http://127.0.0.1:9"])],
    ("set", "place"): [Run(lambda place: [place.name("bank"), place.shard_origin()])],
    ("set", "commit"): [Run(_said(), ends=(1,))],  # nobody answers there
    ("set", "show"): [Run(_said())],
    ("kek", "rotate"): [Run(_said(), ends=(1,))],  # a server runs
    ("check",): [Run(_said())],
    # a log that opened under an older ruleset knows no alerts
    ("risk", "activate"): [Run(_said("--approved-by", "a", "--approved-by", "b"), ends=(0, 1))],
    ("risk", "stop"): [Run(_said("--approved-by", "a", "--approved-by", "b"), ends=(0, 1))],
    ("risk", "alerts"): [Run(_said())],
    ("risk", "train"): [Run(_said(), ends=(1,))],  # a new log has no history to learn from
    ("risk", "model", "show"): [Run(_said("none.json"), ends=(1,), on_state=False)],
    ("risk", "model", "list"): [Run(_said())],
    # a log that opened under an older ruleset knows no reports
    ("report", "define"): [
        Run(_said("daily", "--period", "day", "--measure", "accesses_allowed", "--suppress", "5"), ends=(0, 1))
    ],
    ("report", "issue"): [Run(_said("daily", "--from", "2026-01-01"), ends=(0, 1))],
    ("report", "file"): [
        Run(lambda p: ["daily", "--from", "2026-01-01", "--form", "csv", "--out", str(p.folder / "r")], ends=(0, 1))
    ],
    ("report", "show"): [Run(_said())],
    ("reconcile",): [Run(_said(), ends=(0, 1))],  # 1: nothing is an hour old
    ("health",): [Run(lambda place: ["--url", place.base_url], on_state=False)],
    ("version",): [Run(_said(), on_state=False)],
    ("keys", "new"): [
        Run(
            lambda place: [
                str(place.own()),
                "--participant",
                "stranger",
                "--url",
                place.base_url,
                "--log-key",
                place.vkey,
            ],
            on_state=False,
        )
    ],
    ("follow",): [  # 1: a server that is killed all the time may be away for longer than a client tries
        Run(lambda place: ["--once", "--as", str(place.own())], ends=(0, 1), on_state=False)
    ],
    ("receipt", "verify"): [
        Run(
            lambda place: [str(place.own() / "newest.checkpoint"), "--log-key", place.vkey], ends=(1, 3), on_state=False
        )
    ],
    ("receipt", "cose"): [
        Run(lambda place: [str(place.own() / "newest.checkpoint"), "--out", str(place.own() / "made.cose")], ends=(1,))
    ],
    ("receipt", "show"): [
        Run(
            lambda place: [str(place.own() / "newest.checkpoint"), "--log-key", place.vkey], ends=(1, 3), on_state=False
        )
    ],
    # whose key nobody has registered: a participant's work from end to end is in tests/api/test_own_commands.py
    ("consent", "request"): [
        Run(
            lambda place: [
                *(
                    "--as",
                    str(place.own()),
                    "--holder",
                    "bank-a",
                    "--permission",
                    "ReadBalances",
                    "--purpose",
                    "budgeting",
                ),
                *("--purpose-text", "Budget planning", "--notice", str(place.own() / "statement.jwk")),
            ],
            ends=(1,),
            on_state=False,
        )
    ],
    ("consent", "authorise"): [
        Run(
            lambda place: [
                *(
                    "none",
                    "--as",
                    str(place.own()),
                    "--customer",
                    "anna",
                    "--account",
                    "1",
                    "--acr",
                    "x",
                    "--amr",
                    "pwd",
                ),
            ],
            ends=(1,),
            on_state=False,
        )
    ],
    ("consent", "revoke"): [Run(lambda place: ["none", "--as", str(place.own())], ends=(1,), on_state=False)],
    ("consent", "show"): [Run(lambda place: ["none", "--as", str(place.own())], ends=(1,), on_state=False)],
    ("access",): [
        Run(
            lambda place: [
                *("none", "--as", str(place.own()), "--permission", "ReadBalances", "--purpose", "budgeting"),
                *("--request", "GET /accounts"),
            ],
            ends=(1,),
            on_state=False,
        )
    ],
    ("attestation", "give"): [
        Run(
            lambda place: [
                *("licence", "--as", str(place.own()), "--kind", "licence", "--issuer", "The authority"),
                *("--document", str(place.own() / "statement.jwk"), "--valid-until", "4000000000"),
            ],
            ends=(1,),
            on_state=False,
        )
    ],
    ("attestation", "withdraw"): [_own("licence", "--reason", "ended")],
    ("attestation", "list"): [_own()],
    ("attestation", "certify"): [
        Run(
            lambda place: [
                *("nobody", *OFFICERS, "--suite", "s", "--suite-version", "1", "--passed", "1", "--total", "1"),
                *("--log", place.jwk()),
            ],
            ends=(1,),
        )
    ],
    ("case", "hand-over"): [
        Run(
            lambda place: [
                *(place.jwk(), "--as", str(place.own()), "--to", "other", "--disclosure", "0"),
                *("--basis", "law", "--id", "case-1"),
            ],
            ends=(1,),
            on_state=False,
        )
    ],
    ("case", "receive"): [
        Run(lambda place: [place.jwk(), "--as", str(place.own()), "--handover", "0"], ends=(1,), on_state=False)
    ],
    ("case", "list"): [_own()],
    ("partner", "invite"): [
        Run(lambda place: [place.name("app"), "--name", place.name("An App"), "--role", "recipient", "--by", "olaf"])
    ],
    ("partner", "admit"): [Run(_said("nobody", "--by", "olaf"), ends=(1,))],
    ("partner", "join"): [
        Run(
            lambda place: [f"{place.base_url}/join#none", "--as", str(place.folder / "joined")],
            ends=(1,),
            on_state=False,
        )
    ],
    ("partner", "rotate"): [_own()],
    ("partner", "suspend"): [_own("--reason", "test")],
    ("attestation", "approve"): [Run(_said("bank-a", "0", *OFFICERS), ends=(1,))],
    ("datamap", "propose"): [
        Run(lambda place: [place.openapi(), "--out", str(place.folder / "proposed.json")], on_state=False)
    ],
    ("datamap", "publish"): [
        Run(
            lambda place: [place.draft(), "--as", str(place.own()), "--out", str(place.folder / "map.json")],
            ends=(1,),
            on_state=False,
        )
    ],
    ("datamap", "drift"): [Run(lambda place: [place.openapi(), place.draft()], ends=(1,), on_state=False)],  # no map
    ("datamap", "list"): [_own()],
    ("history", "attest"): [_own("register.csv", "--id", "past", "--title", "Before")],
    ("history", "show"): [_own()],
    ("history", "withdraw"): [_own("--id", "past", "--reason", "test")],
    ("tariff", "offer"): [Run(lambda place: [place.jwk(), "--as", str(place.own())], ends=(1,), on_state=False)],
    ("tariff", "accept"): [_own("0")],
    ("tariff", "end"): [_own("0", "--reason", "ended", "--from", "4000000000")],
    ("tariff", "list"): [_own()],
    ("usage", "count"): [_own("0", "--month", "2026-01")],
    ("usage", "state"): [_own("0", "--month", "2026-01", "--recipient", "app-x")],
    ("usage", "answer"): [_own("0")],
    ("usage", "list"): [_own()],
    ("usage", "entries"): [_own("0")],
    ("usage", "invoice"): [_own("0")],
    ("consent", "expire"): [Run(_said("none"), ends=(1,))],
    ("participant", "add"): [
        Run(lambda place: [place.name("bank"), "--role", "holder", "--name", place.name("The Bank")]),
        Run(lambda place: [place.name("agent"), "--role", "technology-provider", "--name", place.name("Agent")]),
    ],
    ("participant", "key"): [Run(lambda place: [place.name("bank"), place.jwk(), "--kid", place.name("key")])],
    ("participant", "revoke-key"): [Run(lambda place: [place.name("bank"), place.name("key")])],
    ("participant", "suspend"): [Run(lambda place: [place.name("bank"), "--reason", "test"])],
    ("participant", "reinstate"): [Run(lambda place: [place.name("bank"), "--reason", "test"])],
    ("participant", "endpoint"): [Run(lambda place: [place.name("bank"), "https://bank.example/events", "--disabled"])],
    ("participant", "list"): [Run(_said())],
    ("participant", "import"): [Run(lambda place: [place.feed()])],
    ("delegation", "grant"): [
        Run(lambda place: [place.name("bank"), place.name("agent"), "--act", "consent.authorise"])
    ],
    ("delegation", "end"): [Run(lambda place: [place.name("bank"), place.name("agent"), "--reason", "over"])],
    ("gateway", "init"): [Run(_said(), ends=(0, 1))],  # 1: there is one, from the round before
    ("gateway", "setup"): [Run(lambda place: [place.setup()])],
    ("gateway", "delegate"): [Run(lambda place: [place.name("bank")])],
    # 1: a bank is no recipient
    ("gateway", "sm4-key"): [Run(lambda place: [place.name("bank")], ends=(1,))],
    ("gateway", "redirect"): [Run(lambda place: [place.name("bank"), "https://app.example/back"], ends=(1,))],
    ("participant", "remove"): [Run(lambda place: [place.name("bank"), "--reason", "test"])],
    ("purpose", "define"): [Run(lambda place: [place.name("purpose"), "--permission", "ReadBalances"])],
    ("purpose", "apply"): [Run(_said("shopping"))],
    # two officers order what a log takes from ruleset 3 on
    ("freeze", "order"): [
        Run(lambda place: [place.name("freeze"), *OFFICERS, "--reason", "drill", "--everything", "--drill"], ORDERED)
    ],
    ("freeze", "lift"): [Run(lambda _: ["never", *OFFICERS, "--reason", "over"], ends=(1,))],
    ("freeze", "list"): [Run(lambda _: [])],
    ("rules", "try"): [Run(lambda place: [place.draft()])],
    ("hold", "place"): [
        Run(
            lambda place: [place.name("hold"), *OFFICERS, "--basis", "court", "--consent", "urn:x:" + "0" * 32], ORDERED
        )
    ],
    ("hold", "lift"): [Run(lambda _: ["never", *OFFICERS, "--reason", "over"], ends=(1,))],
    ("hold", "list"): [Run(lambda _: [])],
    ("remit", "record"): [Run(lambda place: [place.regulators(), *OFFICERS], ORDERED)],
    ("remit", "list"): [Run(lambda _: [])],
    ("ruleset", "activate"): [Run(_said("1"), ends=(1,))],  # it never falls
    ("witness", "init"): [
        Run(lambda place: [str(place.folder / "witness"), "--name", "witness.example"], on_state=False)
    ],
    ("witness", "serve"): [
        Run(
            lambda place: [str(place.folder / "witness"), "--log", place.vkey, "--port", str(place.port)],
            serves=True,
            on_state=False,
        )
    ],
}
"""In an order in which each finds what it needs."""


def every_command() -> set[tuple[str, ...]]:
    """All commands, as the command line itself knows them."""
    return {path for name in PLACES for path in _below(loaded(name), (name,))}


def _below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not hasattr(command, "commands"):
        yield path
        return
    for name, below in command.commands.items():
        yield from _below(below, (*path, name))


def runs() -> list[tuple[str, Run, tuple[str, ...]]]:
    """(name, run, command) of everything that is to be run."""
    return [(" ".join(command), run, command) for command, listed in COMMANDS.items() for run in listed]


def words(command: tuple[str, ...], run: Run, place: Place) -> list[str]:
    """The whole command line behind `consent-ledger`."""
    return [*command, *run.arguments(place), *(["--state", str(place.state)] if run.on_state else [])]
