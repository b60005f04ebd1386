"""What a sandbox's log says of a partner's work, for the judges of a conformance run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api.sandbox.world import SandboxWorld
from api.web.happened import Event, read_event
from ledger.canonical import unb64u
from ledger.entries.evidence import decode_evidence
from ledger.entries.leaf import consent_chain
from ledger.participants import Key

Problems = list[str]
"""What is wrong, a sentence each; empty if nothing is."""


@dataclass
class TaskEvidence:
    """One task: what was asked, what the partner said in the end, and the log."""

    world: SandboxWorld
    participant: str
    asked: Mapping[str, Any]
    """The task's parameters, with what was made for it."""
    answer: str = ""
    consent_id: str = ""
    """What the partner said in the end: its conclusion, and the consent that it used."""
    keys_before: frozenset[str] = frozenset()
    """The partner's statement keys in force when the task was given."""
    sent_before: int = 0
    """How many writes of the partner's had been seen by then."""

    def events(self, consent_id: str | None = None) -> list[Event]:
        """All entries of a consent; by default of the one that the partner named. None of one that is not the partner's."""
        wanted = consent_id if consent_id is not None else self.consent_id
        found = self.world.node.ledger.records.history_of_chain(consent_chain(wanted), limit=500)
        events = [read_event(one) for one in found]
        return events if self._is_theirs(events) else []

    def _is_theirs(self, events: list[Event]) -> bool:
        return any(one.principal == self.participant for one in events)

    def keys(self) -> dict[str, Key]:
        """The partner's statement keys, by id."""
        known = self.world.node.ledger.registry.keys
        return {
            kid: key for kid, key in known.items() if key.participant == self.participant and key.use == "statement"
        }


def said_wrong(task: TaskEvidence, answer: str) -> Problems:
    """Whether the partner drew the conclusion that was right."""
    return [] if task.answer == answer else [f"you said {task.answer!r}, and it was {answer!r}"]


def accesses(events: Iterable[Event]) -> list[Event]:
    """Attempts to read, in the log's order."""
    return [one for one in events if one.is_access]


def kid_of(event: Event) -> str:
    """The key that signed an entry."""
    evidence = decode_evidence(event.recorded.evidence or b"")
    kid: str = json.loads(unb64u(evidence.statements[0].split(".")[0]))["kid"]
    return kid
