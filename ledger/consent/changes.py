"""What ruleset 2 lets change in a consent that is in force: withdrawals in part, due dates, succession. Pure.

Each function gets the consent, the act, what the signer is to the consent, and the effective status; `apply` sets `basis`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from ledger.consent.actors import require_actor, require_role
from ledger.consent.state import Approval, Approvals, Consent, Status
from ledger.entries.acts import (
    ConsentReauthenticate,
    ConsentReconfirm,
    ConsentSupersede,
    ConsentWithdrawAccounts,
    ConsentWithdrawApproval,
    ConsentWithdrawSeparate,
)
from ledger.errors import IllegalTransition

WITHDRAWABLE: Final = frozenset({Status.PARTIAL, Status.ACTIVE, Status.PAUSED, Status.SUSPENDED})
"""The states of a consent that somebody has authorised."""


def withdraw_accounts(consent: Consent, act: ConsentWithdrawAccounts, role: str, status: Status) -> Consent:
    """Accounts leave all approvals. Raises NotPermitted, IllegalTransition."""
    require_actor(act.act, role, act.by)
    _require_status(act.act, status, WITHDRAWABLE)
    there = {*consent.accounts, *consent.waiting}
    if not there.issuperset(act.accounts):
        raise IllegalTransition("an account to withdraw is not in the consent", member="accounts")
    if there == set(act.accounts):
        raise IllegalTransition("no account would remain: consent.revoke is the act for that", member="accounts")
    after = consent.sharing(
        _without(consent.approvals, act.accounts), consent.joint, {*consent.withdrawn, *act.accounts}
    )
    if after.pending is None:
        return after
    pending = msgspec.structs.replace(after.pending, approvals=_without(after.pending.approvals, act.accounts))
    return msgspec.structs.replace(after, pending=pending)


def withdraw_approval(consent: Consent, act: ConsentWithdrawApproval, role: str, status: Status) -> Consent:
    """One of several authorisers withdraws. Raises NotPermitted, IllegalTransition."""
    require_actor(act.act, role, act.by)
    _require_status(act.act, status, WITHDRAWABLE)
    if act.authoriser not in consent.authorisers:
        raise IllegalTransition("this authoriser has no approval of the version in force", member="authoriser")
    if len(consent.approvals) == 1:
        raise IllegalTransition("no approval would remain: consent.revoke is the act for that", member="authoriser")
    left = tuple(approval for approval in consent.approvals if approval.authoriser != act.authoriser)
    lost = set(consent.accounts).difference(consent.sharing(left, consent.joint, consent.withdrawn).accounts)
    after = consent.sharing(left, consent.joint, {*consent.withdrawn, *lost})
    broken = status is Status.ACTIVE and not after.is_complete
    return msgspec.structs.replace(after, status=Status.PARTIAL if broken else consent.status, pending=None)


def withdraw_separate(consent: Consent, act: ConsentWithdrawSeparate, role: str, status: Status) -> Consent:
    """A separate consent is taken back. Raises NotPermitted, IllegalTransition."""
    require_actor(act.act, role, act.by)
    _require_status(act.act, status, WITHDRAWABLE)
    if act.separate not in consent.separate:
        raise IllegalTransition("this separate consent was not given, or is withdrawn already", member="separate")
    left = tuple(kind for kind in consent.separate if kind != act.separate)
    return msgspec.structs.replace(consent, separate=left)


def reauthenticate(consent: Consent, act: ConsentReauthenticate, role: str, status: Status, time: int) -> Consent:
    """The holder has authenticated the customer again, at `time` (ms). Raises NotPermitted, IllegalTransition."""
    require_role(role, "holder", act.act)
    _require_status(act.act, status, (Status.ACTIVE, Status.SUSPENDED))
    if act.sca.at < consent.authenticated_at:
        raise IllegalTransition("this authentication is older than the one that counts", member="sca.at")
    return msgspec.structs.replace(consent, authenticated_at=time // 1000)


def reconfirm(consent: Consent, act: ConsentReconfirm, role: str, status: Status, time: int) -> Consent:
    """The customer has confirmed the consent again, at `time` (ms). Raises NotPermitted, IllegalTransition."""
    require_actor(act.act, role, act.by)
    _require_status(act.act, status, (Status.ACTIVE,))
    return msgspec.structs.replace(consent, confirmed_at=time // 1000)


def supersede(consent: Consent, act: ConsentSupersede, role: str, status: Status, successor: Consent | None) -> Consent:
    """Another consent takes over; `successor` is it, if it is known and ACTIVE. Raises NotPermitted, IllegalTransition."""
    require_actor(act.act, role, act.by)
    _require_status(act.act, status, WITHDRAWABLE)
    if successor is None or successor.consent_id == consent.consent_id or _whose(successor) != _whose(consent):
        raise IllegalTransition(
            "superseded_by must be another consent that is ACTIVE, of the same parties and customer",
            member="superseded_by",
        )
    return msgspec.structs.replace(consent, status=Status.SUPERSEDED, pending=None)


def _whose(consent: Consent) -> tuple[str, str, str]:
    return consent.terms.holder, consent.terms.recipient, consent.subject


def _without(approvals: Approvals, accounts: Collection[str]) -> Approvals:
    return tuple(
        Approval(approval.authoriser, tuple(account for account in approval.accounts if account not in accounts))
        for approval in approvals
    )


def _require_status(act: str, status: Status, wanted: Collection[Status]) -> None:
    if status not in wanted:
        raise IllegalTransition(f"{act} is not possible for a consent that is {status}")
