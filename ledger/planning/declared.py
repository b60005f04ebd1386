"""Who may declare what, and what feedback and acknowledgements may speak of (docs/spec/ruleset-3.md, 1, 11, 12)."""

from __future__ import annotations

from typing import Final

from ledger.consent.actors import party_role, require_role, unknown_consent
from ledger.consent.state import Consent
from ledger.entries.acts import (
    SINCE_RULESET_3,
    AccessRequest,
    Act,
    AlertDecide,
    AssessmentRequire,
    ConsentAcknowledge,
    FreezeOrder,
    SubjectAnswer,
    SubjectFeedback,
)
from ledger.entries.leaf import consent_chain
from ledger.entries.payload import acting_for
from ledger.errors import BadStatement, Conflict, IllegalTransition, NotFound, NotPermitted
from ledger.participants import Registry
from ledger.planning.world import World

SUSPENDED_MAY: Final = frozenset({"alert.decide", "consent.acknowledge", "freeze.lift", "freeze.order"})
"""What a suspended participant may still do, beside what reduces sharing."""

_DECLARERS: Final[dict[str, tuple[str, ...]]] = {
    "alert.decide": ("holder", "recipient", "regulator"),
    "assessment.record": ("holder",),
    "assessment.require": ("regulator",),
    "case.hand_over": ("regulator",),
    "case.receive": ("regulator",),
    "history.attest": ("holder",),
    "history.sheet": ("holder",),
    "incident.open": ("holder", "recipient", "regulator", "technology-provider"),
    "map.publish": ("holder",),
    "purpose.define": ("regulator",),
    "risk.block": ("holder",),
    "risk.unblock": ("holder",),
    "tariff.accept": ("recipient",),
    "tariff.offer": ("holder",),
    "usage.answer": ("recipient",),
    "usage.state": ("holder",),
}
"""By act: one of these roles is needed. What ends or goes on with an own declaration needs none."""
_NO_LONGER_ASSERTED: Final = frozenset({"REGION_NOT_CONSENTED", "RISK_BLOCKED"})


def check_declarer(says: Act, principal: str, registry: Registry) -> None:
    """The principal of a declaration has a role for it, and a regulator is there for what it orders. Raises NotPermitted."""
    if isinstance(says, FreezeOrder):
        if is_about_itself(says, principal, registry):
            return
        if not registry.has_role(principal, "regulator"):
            raise NotPermitted(
                f"{principal!r} may freeze what it holds or receives itself (scope.holder, scope.recipient); more than "
                "that is for a regulator",
                member="scope",
            )
        _check_remit(says, principal, registry)
        return
    roles = _DECLARERS.get(says.act)
    if roles is not None and not any(registry.has_role(principal, role) for role in roles):
        raise NotPermitted(f"{says.act} needs one of the roles {', '.join(roles)}, which {principal!r} does not have")
    if isinstance(says, AssessmentRequire):
        _check_remit(says, principal, registry)


def _check_remit(says: FreezeOrder | AssessmentRequire, regulator: str, registry: Registry) -> None:
    """What the log says that it is there for. Raises NotPermitted."""
    remit = registry.supervision.remits.get(regulator)
    if remit is not None:
        remit.check_order(says.scope)


def is_about_itself(says: FreezeOrder, principal: str, registry: Registry) -> bool:
    """Whether somebody freezes what it holds or receives itself, for which no regulator is needed."""
    own = (("holder", says.scope.holder), ("recipient", says.scope.recipient))
    return any(party == principal and registry.has_role(principal, role) for role, party in own)


def check_ruleset_3(says: Act, registry: Registry) -> None:
    """What exists from ruleset 3 on, and what is asserted no longer from there. Raises BadStatement."""
    if registry.ruleset > 2:
        if isinstance(says, AccessRequest) and says.asserted and not _NO_LONGER_ASSERTED.isdisjoint(says.asserted):
            raise BadStatement(
                "REGION_NOT_CONSENTED and RISK_BLOCKED are decided by the log from ruleset 3 on, not asserted",
                member="asserted",
            )
        return
    if says.act in SINCE_RULESET_3:
        raise BadStatement(f"{says.act} exists from ruleset 3 onwards, which this log has not activated", member="act")
    for member in ("region", "masks"):
        if getattr(says, member, None):
            raise BadStatement(
                f"{member} exists from ruleset 3 onwards, which this log has not activated", member=member
            )


def check_alert(says: AlertDecide, world: World) -> None:
    """What is decided about is an alert below this entry. Raises NotFound."""
    if says.alert not in world.alerts:
        raise NotFound(f"entry {says.alert} is not an alert", member="alert")


def check_acknowledgement(says: ConsentAcknowledge, consent: Consent | None, world: World) -> Consent:
    """The consent, if its recipient acknowledges an entry that moved it. Raises NotFound, NotPermitted, IllegalTransition."""
    if consent is None:
        raise unknown_consent()
    role = party_role(consent, acting_for(says.iss, says.on_behalf_of))
    require_role(role, "recipient", says.act)
    if (consent_chain(says.consent_id), says.basis) not in world.moved:
        raise IllegalTransition(
            f"entry {says.basis} is not one that moved this consent: `basis` is the index of what is acknowledged",
            member="basis",
        )
    return consent


def check_feedback(says: SubjectFeedback, chain: bytes, world: World) -> None:
    """A new number, about a consent of this customer. Raises Conflict, NotFound, IllegalTransition."""
    consent = world.consents.get(says.consent_id)
    if consent is None or consent.subject_chain != chain:
        raise NotFound("this customer has no such consent at this holder", member="consent_id")
    if says.about >= world.size:
        raise IllegalTransition(f"there is no entry {says.about} yet", member="about")
    if says.number in world.feedback.get(chain, {}):
        raise Conflict("this number was given to another feedback of this customer; choose another", member="number")


def check_answer(says: SubjectAnswer, chain: bytes, world: World) -> None:
    """Feedback that is open. Raises NotFound, IllegalTransition."""
    closed = world.feedback.get(chain, {}).get(says.number)
    if closed is None:
        raise NotFound("this customer has given no feedback of this number", member="number")
    if closed:
        raise IllegalTransition("this feedback is closed: nothing more is answered", member="number")
