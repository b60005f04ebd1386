"""Delegations of a bank or an app: given after a preview and the provider's id, ended in two steps (docs/partners.md,
«Technology providers»)."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec import Struct

from api.web.console.doors import Partner, PartnerDesk, PartnersForm, Place, partner_of
from api.web.console.keeping import KnownDelegation, delegations_at
from api.web.forms import Sent
from api.web.waiting import record_soon
from ledger.consent.actors import REDUCES_SHARING
from ledger.consent.state import Status
from ledger.documents import DelegationEnded, DelegationGranted, document_of
from ledger.entries.acts import ACTS, SINCE_RULESET_3
from ledger.errors import InvalidInput, LedgerError, NotFound, Refused
from ledger.participants import Participant, Registry
from ledger.planning.commands import RecordDocuments
from ledger.queries.parties import Side

router = APIRouter(include_in_schema=False, prefix="/console/partner/delegations")
HERE: Final = "/console/partner/delegations"
MOST: Final = 32
"""Acts that one delegation names at most (docs/spec/leaves.md)."""
REASONS: Final = ("contract-over", "other-provider", "key-lost", "misuse")
_OF_REGULATORS: Final = frozenset(
    {"assessment.require", "assessment.waive", "case.hand_over", "case.receive", "purpose.define"}
)
_OF_HOLDERS: Final = frozenset(
    {
        "access.release",
        "assessment.record",
        "consent.authorise",
        "consent.pause",
        "consent.reauthenticate",
        "consent.resume",
        "consent.supersede",
        "consent.suspend",
        "consent.withdraw_accounts",
        "consent.withdraw_approval",
        "history.attest",
        "history.sheet",
        "history.withdraw",
        "map.publish",
        "risk.block",
        "risk.unblock",
        "subject.answer",
        "subject.consent",
        "subject.enrol",
        "subject.feedback",
        "subject.unenrol",
        "tariff.offer",
        "usage.state",
    }
)
_OF_RECIPIENTS: Final = frozenset(
    {
        "access.receive",
        "consent.acknowledge",
        "consent.amend",
        "consent.reconfirm",
        "consent.request",
        "tariff.accept",
        "usage.answer",
    }
)


def acts_for(side: Side, ruleset: int) -> tuple[str, ...]:
    """The acts that a participant on this side can sign, and so let another one sign; the specification says whose each is."""
    others = _OF_REGULATORS | (_OF_RECIPIENTS if side == "holder" else _OF_HOLDERS)
    later = frozenset[str]() if ruleset > 2 else SINCE_RULESET_3
    return tuple(sorted(ACTS.keys() - others - later))


class DelegationWish(Struct, frozen=True):
    """A delegation that somebody wants to give."""

    delegate: str
    acts: tuple[str, ...]


@router.get("")
def overview(partner: Partner) -> Response:
    """Who may sign what for the participant, and could before; the form for a new delegation."""
    return _page(partner)


@router.post("/preview")
def look(sent: PartnersForm) -> Response:
    """Show what the delegation would change, before it is given."""
    partner, wish = partner_of(sent.desk), _wish(sent)
    try:
        return _confirm(partner, wish, _provider(partner, wish))
    except InvalidInput as error:
        return _page(partner, error, wish)


@router.post("")
def give(sent: PartnersForm) -> Response:
    """Put it on record. Raises StepUpNeeded, Unconfirmed."""
    desk = sent.desk
    desk.require_fresh(HERE)
    partner, wish = partner_of(desk), _wish(sent)
    try:
        provider = _provider(partner, wish)
        before = _in_force(partner, wish.delegate)
        as_shown = sent.text("replaces", 20) == ("" if before is None else str(before.delegation.granted_at))
        if not as_shown or sent.text("typed", 64).strip() != provider.id:
            return _confirm(partner, wish, provider, problem="retype" if as_shown else "changed")
        granted = document_of(DelegationGranted, participant=partner.id, delegate=provider.id, acts=wish.acts)
        record_soon(desk.office.ledger, RecordDocuments((granted,)))
    except (InvalidInput, Refused) as error:
        return _page(partner, error, wish)
    return desk.redirect(HERE)


@router.get("/{index}/end")
def ask(partner: Partner, index: Place) -> Response:
    """Show what ends with a delegation of one's own. Raises NotFound."""
    desk = partner.desk
    return desk.render(
        "console/delegation_end.html",
        partner=partner,
        one=_standing(partner, index),
        reasons=REASONS,
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
    )


@router.post("/{index}/end")
def end(sent: PartnersForm, index: Place) -> Response:
    """End it: from the next entry on nothing is signed under it. Raises StepUpNeeded, NotFound, Unconfirmed."""
    desk = sent.desk
    desk.require_fresh(f"{HERE}/{index}/end")
    partner = partner_of(desk)
    known = _standing(partner, index).delegation
    reason = sent.text("reason", 64)
    over = document_of(
        DelegationEnded,
        participant=partner.id,
        delegate=known.delegate,
        reason=reason if reason in REASONS else REASONS[0],
    )
    record_soon(desk.office.ledger, RecordDocuments((over,)))
    return desk.redirect(HERE)


def _wish(sent: Sent) -> DelegationWish:
    return DelegationWish(sent.text("delegate", 64).strip(), tuple(sorted(set(sent.texts("acts")))))


def _provider(partner: PartnerDesk, wish: DelegationWish) -> Participant:
    """Whom the wish names, if it can be granted. Raises InvalidInput."""
    registry = partner.desk.office.ledger.registry
    found = next((one for one in _providers(registry) if one.id == wish.delegate), None)
    if found is None:
        raise InvalidInput("choose a technology provider that is registered and not suspended", member="delegate")
    unfit = set(wish.acts) - set(acts_for(partner.side, registry.ruleset))
    if unfit or not 1 <= len(wish.acts) <= MOST:
        raise InvalidInput(f"choose 1 to {MOST} of the acts that you can sign yourself", member="acts")
    return found


def _providers(registry: Registry) -> list[Participant]:
    """Those to whom something can be delegated, by name."""
    known = [
        one for one in registry.participants.values() if registry.is_in_good_standing(one.id, "technology-provider")
    ]
    return sorted(known, key=lambda one: (one.name, one.id))


def _given(partner: PartnerDesk) -> list[KnownDelegation]:
    known = delegations_at(partner.desk, partner.id)
    return [one for one in known if one.delegation.participant == partner.id]


def _in_force(partner: PartnerDesk, delegate: str) -> KnownDelegation | None:
    """What this provider may sign for the participant now."""
    return next((one for one in _given(partner) if one.can_end and one.delegation.delegate == delegate), None)


def _standing(partner: PartnerDesk, index: int) -> KnownDelegation:
    """A delegation of one's own that has not ended. Raises NotFound."""
    found = next((one for one in _given(partner) if one.can_end and one.delegation.granted_at == index), None)
    if found is None:
        raise NotFound("you have given no such delegation, or it has ended")
    return found


def _confirm(partner: PartnerDesk, wish: DelegationWish, provider: Participant, *, problem: str = "") -> Response:
    desk, before = partner.desk, _in_force(partner, provider.id)
    held = frozenset(before.delegation.acts) if before else frozenset[str]()
    return desk.render(
        "console/delegation.html",
        409 if problem else 200,
        partner=partner,
        wish=wish,
        provider=provider,
        before=before,
        added=[act for act in wish.acts if act not in held],
        kept=[act for act in wish.acts if act in held],
        taken=sorted(held - set(wish.acts)),
        only_less=set(wish.acts) <= REDUCES_SHARING,
        active=partner.own.tally(partner.id, partner.side, desk.now).by_status.get(Status.ACTIVE, 0),
        problem=problem,
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
    )


def _page(partner: PartnerDesk, error: LedgerError | None = None, wish: DelegationWish | None = None) -> Response:
    desk = partner.desk
    registry = desk.office.ledger.registry
    acts = acts_for(partner.side, registry.ruleset)
    return desk.render(
        "console/delegations.html",
        200 if error is None else 409,
        partner=partner,
        given=_given(partner),
        providers=_providers(registry),
        families=[(name, list(of)) for name, of in groupby(acts, key=lambda act: act.partition(".")[0])],
        wish=wish or DelegationWish("", ()),
        most=MOST,
        problem=error.member if isinstance(error, InvalidInput) else "",
        refusal=error.detail if error is not None and not isinstance(error, InvalidInput) else "",
    )
