"""State that rows of ruleset 1 did not keep: who gave which accounts, and when a version came into force.

A log of ruleset 1 goes on under ruleset 2, whose rules ask for it. It is read once from the consent's own chain, when
such a consent is first moved again; the row that is written then has everything.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from ledger.canonical import unb64u
from ledger.consent.state import Approval, Consent, Status
from ledger.entries.acts import ConsentAmend, ConsentAuthorise
from ledger.entries.evidence import ConsentOutcome, decode_evidence
from ledger.entries.statement import parse_payload


def refold(consent: Consent, events: Iterable[tuple[int, bytes]]) -> Consent:
    """The consent with its exact approvals and times; `events` are (leaf time in ms, evidence) of its chain, in order."""
    now: list[Approval] = []
    pending: list[Approval] = []
    version, since = 1, 0
    for time, data in events:
        evidence = decode_evidence(data)
        outcome = evidence.outcome
        if outcome is UNSET or not isinstance(outcome, ConsentOutcome) or not evidence.statements:
            continue
        said = parse_payload(unb64u(evidence.statements[0].split(".")[1]))
        if isinstance(said, ConsentAmend):
            pending = []
        if not isinstance(said, ConsentAuthorise):
            continue
        approval = Approval(said.authoriser, said.accounts)
        if said.version == version:
            now.append(approval)
            since = time // 1000 if outcome.status == Status.ACTIVE else since
            continue
        pending.append(approval)
        if outcome.consent_version == said.version:
            now, pending, version, since = pending, [], said.version, time // 1000
    waits = None if consent.pending is None else msgspec.structs.replace(consent.pending, approvals=tuple(pending))
    return msgspec.structs.replace(
        consent, approvals=tuple(now), pending=waits, authenticated_at=since, confirmed_at=since
    )
