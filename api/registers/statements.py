"""Software statements (RFC 7591 §2.3), as the registers of the UK, of Brazil and of Australia word them.

A register says who a piece of software is, where its customers may be sent back to, and where its keys are. What it is here,
the log says; for whom a register may speak, the operator (docs/standards/registration.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from api.tokens.jwt import BadToken, Jwt, read_jwt, text_claim, time_claim
from api.tokens.keys import PublicKey
from ledger.canonical import unb64u

RegisterForm = Literal["brazil", "cdr", "uk"]
LIMIT: Final = 32 * 1024
"""Characters of a statement, and of a signed request that holds one."""
FUTURE_SECONDS: Final = 10
TYP: Final = frozenset({None, "jwt"})
MEMBERS: Final = frozenset({"kid", "x5t", "x5t#S256", "x5c"})
"""Of headers. Certificates in them are accepted and ignored: keys are the register's own."""


@dataclass(frozen=True, slots=True)
class _Wording:
    """Where a register's statements say what."""

    software_id: str
    redirect_uris: str
    key_sets: tuple[str, ...]
    """Members with addresses of key sets: of signatures, and of the connection's certificates where they are apart."""
    roles: str
    reads: frozenset[str]
    """Roles of software that reads account data."""
    standings: tuple[str, ...]
    """Members that say «Active» where they are there."""
    most_seconds: int
    """How old a statement without an `exp` may be."""


_UK: Final = _Wording(
    software_id="software_id",
    redirect_uris="software_redirect_uris",
    key_sets=("software_jwks_endpoint",),
    roles="software_roles",
    reads=frozenset({"AISP"}),
    standings=("org_status",),
    most_seconds=86_400,
)
_BRAZIL: Final = _Wording(
    software_id="software_id",
    redirect_uris="software_redirect_uris",
    key_sets=("software_jwks_uri", "software_jwks_transport_uri"),
    roles="software_statement_roles",
    reads=frozenset({"DADOS"}),
    standings=("software_status", "org_status"),
    most_seconds=300,
)
_CDR: Final = _Wording(
    software_id="software_id",
    redirect_uris="redirect_uris",
    key_sets=("jwks_uri",),
    roles="software_roles",
    reads=frozenset({"data-recipient-software-product"}),
    standings=(),
    most_seconds=600,
)
WORDINGS: Final[dict[RegisterForm, _Wording]] = {"brazil": _BRAZIL, "cdr": _CDR, "uk": _UK}


class UnapprovedSoftware(Exception):
    """The register itself says that this software may not, or not now; the sentence says why."""


@dataclass(frozen=True, slots=True)
class SoftwareStatement:
    """What a register has signed about a piece of software."""

    text: str
    software_id: str
    redirect_uris: tuple[str, ...]
    key_sets: tuple[str, ...]
    """https addresses of its public keys, as JWK sets."""
    claims: Mapping[str, Any]


def issuer_of(text: str) -> tuple[Jwt, str]:
    """A statement taken apart, and who it says has signed it; nothing of it is believed yet. Raises BadToken."""
    jwt = read_jwt(text, typ=TYP, members=MEMBERS, limit=LIMIT)
    return jwt, text_claim(unverified(text), "iss")


def unverified(text: str) -> dict[str, Any]:
    """The claims of a JWT, to find out which key it has to be under. Raises BadToken."""
    try:
        return msgspec.json.decode(unb64u(text.split(".")[1]), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise BadToken("the claims are not a JSON object") from None


def read_statement(text: str, jwt: Jwt, key: PublicKey, form: RegisterForm, now: float) -> SoftwareStatement:
    """The statement, at `now` (seconds). Raises BadToken, and UnapprovedSoftware for what the register does not let in."""
    claims, wording = jwt.verified(key), WORDINGS[form]
    issued = time_claim(claims, "iat")
    if issued > now + FUTURE_SECONDS:
        raise BadToken("its iat lies in the future")
    ends = time_claim(claims, "exp") if "exp" in claims else issued + wording.most_seconds
    if ends <= now:
        raise BadToken("it has expired: ask the register for a new one")
    for member in wording.standings:
        if claims.get(member, "Active") != "Active":
            raise UnapprovedSoftware(f"the register says that {member} is not Active")
    if not _roles(claims.get(wording.roles)) & wording.reads:
        raise UnapprovedSoftware(f"{wording.roles} names none of {', '.join(sorted(wording.reads))}")
    return SoftwareStatement(
        text,
        text_claim(claims, wording.software_id, longest=128),
        _texts(claims, wording.redirect_uris),
        tuple(text_claim(claims, member, longest=1024) for member in wording.key_sets if member in claims),
        claims,
    )


def _roles(said: Any) -> set[str]:
    """A text (CDR), texts (UK), or objects of which only active ones count (Brazil)."""
    found = set()
    for one in said if isinstance(said, list) else [said]:
        if isinstance(one, str):
            found.add(one)
        elif isinstance(one, dict) and one.get("status") == "Active" and isinstance(one.get("role"), str):
            found.add(one["role"])
    return found


def _texts(claims: Mapping[str, Any], member: str) -> tuple[str, ...]:
    found = claims.get(member)
    if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
        raise BadToken(f"{member} is not a list of addresses")
    return tuple(found)
