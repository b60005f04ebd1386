"""Staff: people who work for a participant or for the operator, and what they may see (docs/consoles.md)."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from ledger.entries.fields import ParticipantId, Text
from ledger.participants import Registry

StaffRole = Literal["auditor", "holder", "operator", "recipient", "regulator", "technology-provider"]
CONSOLE: Final = "/console"


class Staff(Struct, frozen=True):
    """Somebody at work, as the identity provider names them: never a customer in the same session."""

    sub: str
    participant: str
    role: StaffRole
    name: str
    """For the person's own eyes; never logged, never recorded."""

    @property
    def key(self) -> bytes:
        """The key under which the pages file this account's sessions; no customer's key can be the same."""
        return sha256(f"staff\n{self.participant}\n{self.role}\n{self.sub}".encode()).digest()

    def works_here(self, registry: Registry) -> bool:
        """Whether the log knows their employer in this role. The operator is not a participant; all others are.

        The same as for an employer's programs (api/tokens/scopes.py): who was removed reads nothing, who is suspended watches
        nothing, and a recipient's staff never watch the log.
        """
        if self.role == "operator":
            return True
        if self.participant in registry.removed or not registry.has_role(self.participant, self.role):
            return False
        watches = self.role in {"auditor", "regulator"}
        barred = registry.has_role(self.participant, "recipient") or registry.is_suspended(self.participant)
        return not (watches and barred)


class StaffMember(Struct, frozen=True, forbid_unknown_fields=True):
    """An account in a staff file (development only)."""

    sub: Text
    participant: ParticipantId
    role: StaffRole
    name: Text

    @property
    def employer(self) -> str:
        """What stands beside the name where an account is chosen."""
        return f"{self.role} · {self.participant}"

    def claims(self) -> dict[str, str]:
        """The claims of an ID token that say who this is."""
        return {"sub": self.sub, "participant": self.participant, "role": self.role, "name": self.name}


class StaffFile(Struct, frozen=True, forbid_unknown_fields=True):
    """`{"staff": [{"sub", "participant", "role", "name"}]}`."""

    staff: tuple[StaffMember, ...]


def read_staff(path: Path) -> tuple[StaffMember, ...]:
    """The accounts in a staff file. Raises ValidationError of msgspec for another content."""
    return msgspec.json.decode(path.read_bytes(), type=StaffFile).staff
