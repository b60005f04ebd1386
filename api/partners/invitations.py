"""Invitations: they let a company register itself as one participant until some time, with a proof that it holds its keys.

An invitation is stored nowhere: it is signed by the node's token key, and used up by the registration it leads to, since a
participant's id is registered once. The log names who invited, in the reason of the newcomer's first suspension: another
person lets it in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from api.tokens.jwt import BadToken, check_times, read_jwt, text_claim
from api.tokens.keys import PublicKey, TokenSigner
from ledger.documents import (
    ParticipantReinstated,
    ParticipantSuspended,
    document_of,
    key_added,
    parse_document,
    registration,
)
from ledger.errors import BadSignature, InvalidInput, NotPermitted
from ledger.lookalikes import require_unmistakable
from ledger.participants import Participant

TYP: Final = "invitation+jwt"
PROOF_TYP: Final = "key-proof+jwt"
MOST_HOURS: Final = 720
INVITED: Final = "invited:"
ADMITTED: Final = "admitted:"
OWN: Final = "own:"
"""How the reason of a suspension begins that a participant asked for itself."""
ROLES: Final = frozenset({"holder", "recipient", "technology-provider"})
"""What a newcomer can be invited as; regulators and auditors are registered by the operator alone."""


class ProvedKey(Struct, frozen=True, forbid_unknown_fields=True):
    """A public key with the proof that who names it holds the private half: a JWS by that key (docs/partners.md)."""

    kid: str
    alg: str
    use: str
    jwk: dict[str, str]
    proof: str


class Joining(Struct, frozen=True, forbid_unknown_fields=True):
    """What a newcomer sends: its invitation, and a key for statements and one for tokens."""

    invitation: Annotated[str, Meta(max_length=4_096)]
    keys: Annotated[list[ProvedKey], Meta(min_length=2, max_length=2)]


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who is invited, by whom (a code), and until when (seconds)."""

    participant: str
    name: str
    roles: tuple[str, ...]
    invited_by: str
    expires_at: int


class Invitations:
    """Makes and reads them. The token key is read when it is first needed."""

    def __init__(self, signer: Callable[[], TokenSigner], origin: str) -> None:
        self._signer = signer
        self._origin = origin

    def make(
        self,
        participant: str,
        name: str,
        roles: Iterable[str],
        *,
        invited_by: str,
        hours: int,
        now: int,
        known: Iterable[Participant],
        meant: bool = False,
    ) -> str:
        """An invitation at `now` (s) that holds for so many hours. `meant`: although it looks like one of those `known`.

        Raises InvalidInput, LooksAlike.
        """
        wanted = tuple(sorted(set(roles)))
        if not wanted or not ROLES.issuperset(wanted):
            raise InvalidInput(f"a newcomer can be {', '.join(sorted(ROLES))}", member="roles")
        if not 1 <= hours <= MOST_HOURS:
            raise InvalidInput(f"an invitation holds for 1 to {MOST_HOURS} hours", member="hours")
        parse_document(registration(participant, name, wanted))  # what cannot be recorded is not promised
        parse_document(_waits(participant, invited_by))
        if not meant:
            require_unmistakable(participant, name, known)
        claims = {
            "by": invited_by,
            "exp": now + hours * 3_600,
            "iat": now,
            "iss": self._origin,
            "name": name,
            "roles": [*wanted],
            "sub": participant,
        }
        return self._signer().jws({"typ": TYP}, claims)

    def read(self, token: str, now: int) -> Invitation:
        """The invitation, if this log made it and it holds at `now` (s). Raises NotPermitted."""
        try:
            claims = read_jwt(token, typ=frozenset({TYP}), members=frozenset()).verified(self._signer().public)
            _require(text_claim(claims, "iss") == self._origin, "it is another log's")
            until = int(check_times(claims, now, longest=MOST_HOURS * 3_600))
            names = text_claim(claims, "sub", longest=63), text_claim(claims, "name"), text_claim(claims, "by")
        except BadToken as error:
            raise NotPermitted(
                f"this is not an invitation that holds: {error}. Ask who invited you for another one",
                member="invitation",
            ) from None
        return Invitation(names[0], names[1], tuple(claims["roles"]), names[2], until)


def joining_documents(invitation: Invitation, keys: Iterable[ProvedKey], origin: str) -> list[dict[str, Any]]:
    """What is recorded of a newcomer, all or nothing: it is registered, with its keys, and may do nothing yet.

    Raises InvalidInput, BadSignature.
    """
    proved = [proved_key(invitation.participant, key, origin) for key in keys]
    if sorted(document["use"] for document in proved) != ["client", "statement"]:
        raise InvalidInput("a newcomer has one key for statements and one for tokens (client)", member="keys")
    return [
        registration(invitation.participant, invitation.name, invitation.roles),
        _waits(invitation.participant, invitation.invited_by),
        *proved,
    ]


def proved_key(participant: str, key: ProvedKey, origin: str) -> dict[str, Any]:
    """The document that adds this key, if its proof holds. Raises InvalidInput, BadSignature."""
    document = key_added(participant, key.kid, key.alg, key.use, key.jwk)
    public = PublicKey.from_jwk(key.jwk)
    try:
        claims = read_jwt(key.proof, typ=frozenset({PROOF_TYP}), members=frozenset()).verified(public)
        expected = {"aud": origin, "kid": key.kid, "participant": participant, "use": key.use}
        _require(claims == expected, "it says something else than aud (this log's origin), kid, participant, use")
    except BadToken as error:
        raise BadSignature(f"the proof of the key {key.kid!r} does not hold: {error}", member="proof") from None
    return document


def invited_by(participant: Participant) -> str | None:
    """The officer who invited a newcomer that still waits; None for any other participant."""
    waits = participant.suspended and not participant.removed and participant.reason.startswith(INVITED)
    return participant.reason.removeprefix(INVITED) if waits else None


def admission(participant: Participant, officer: str) -> dict[str, Any]:
    """The document by which this person lets somebody in, or in again. Raises NotPermitted, InvalidInput."""
    if invited_by(participant) == officer:
        raise NotPermitted("you have invited this participant: a second person lets it in")
    return document_of(ParticipantReinstated, participant=participant.id, reason=f"{ADMITTED}{officer}")


def _waits(participant: str, inviter: str) -> dict[str, Any]:
    return document_of(ParticipantSuspended, participant=participant, reason=f"{INVITED}{inviter}")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BadToken(otherwise)
