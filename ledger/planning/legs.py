"""What was delivered under a decision: which legs an access can have (docs/spec/reconciliation.md, At the door).

A leg that no honest party could sign is refused, for a log takes it over for ever. Figures that differ between the two
parties are recorded: each says what it saw, and the difference is what reconciliation is for.
"""

from __future__ import annotations

from ledger.consent.actors import party_role
from ledger.consent.state import Consent
from ledger.entries.acts import AccessLeg
from ledger.entries.leaf import consent_chain
from ledger.entries.payload import acting_for
from ledger.errors import ImpossibleLeg, NotPermitted
from ledger.planning.world import World

_MADE_BY = {"access.release": "holder", "access.receive": "recipient"}
_CALLED = {"access.release": "release", "access.receive": "receipt"}


def check_leg(payload: AccessLeg, consent: Consent, world: World) -> None:
    """Refuse a leg that its access cannot have. Raises NotFound for a stranger, NotPermitted, ImpossibleLeg.

    The same words answer for an entry of another consent, for one that is not an access, for a denied one and for one
    that does not exist: a party must not learn from a refusal what others have asked for.
    """
    role = party_role(consent, acting_for(payload.iss, payload.on_behalf_of))
    if role != _MADE_BY[payload.act]:
        raise NotPermitted(f"{payload.act} is not for the {role} of the consent")
    access = world.allowed.get(payload.basis)
    if access is None or access.chain != consent_chain(payload.consent_id):
        raise ImpossibleLeg(
            f"entry {payload.basis} is not an allowed access of this consent, so nothing is delivered under it: `basis` is the "
            "index of the decision",
            member="basis",
        )
    if access.interaction_id != payload.interaction_id:
        raise ImpossibleLeg(
            f"entry {payload.basis} decides another interaction than this {_CALLED[payload.act]} names",
            member="interaction_id",
        )
    if (payload.basis, payload.act) in world.legs:
        raise ImpossibleLeg(
            f"the {_CALLED[payload.act]} under entry {payload.basis} is recorded already: an access has one of each party",
            member="basis",
        )
