"""`consent-ledger participant …`, `delegation`, `purpose`, `ruleset`: what the operator records, on the database directly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import typer

from api.cli.saying import fail, mention, result, say, warn
from api.cli.shared import State, node_of, record, say_entry, told_in_a_sentence
from api.events.addresses import read_endpoint
from api.partners.scenarios import packs, read_pack
from api.registers.cdr import read_feed
from api.registers.plan import plan_feed
from api.web.plain import plain
from ledger.clock import SystemClock
from ledger.documents import (
    DelegationEnded,
    DelegationGranted,
    KeyRevoked,
    ParticipantReinstated,
    ParticipantRemoved,
    ParticipantSuspended,
    PurposeDefined,
    activation,
    key_added,
    registration,
)
from ledger.entries.fields import Role
from ledger.lookalikes import likenesses, require_unmistakable
from ledger.participants import Participant, Registry

participants = typer.Typer(help="Participants and their keys, on the database directly.", no_args_is_help=True)
delegations = typer.Typer(help="Who may sign on behalf of whom.", no_args_is_help=True)
purposes = typer.Typer(help="What consents for a purpose may ask for.", no_args_is_help=True)
rulesets = typer.Typer(help="The rules that entries are judged by.", no_args_is_help=True)


ROLES: Final = get_args(Role)


def _known_roles(roles: list[str]) -> list[str]:
    if unknown := [role for role in roles if role not in ROLES]:
        raise typer.BadParameter(f"{', '.join(unknown)} is not a role: say {', '.join(ROLES)}")
    return roles


@participants.command("add")
def participant_add(
    participant: Annotated[str, typer.Argument(help="Participant id, such as bank-a.")],
    role: Annotated[
        list[str], typer.Option(help=f"What it is: {', '.join(ROLES)}; repeatable.", callback=_known_roles)
    ],
    name: Annotated[str, typer.Option(help="Its legal name.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="It is meant, although it can be taken for a registered one.")
    ] = False,
    state: State = None,
) -> None:
    """Register a participant. One whose id or name looks like a registered one's is refused unless --force."""
    with node_of(state) as node:
        document = registration(participant, name, set(role))
        warn_of_likeness([document], node.ledger.registry, force=force)
        [recorded] = node.ledger.record_documents(document)
    say_entry(recorded)


@participants.command("key")
def participant_key(
    participant: Annotated[str, typer.Argument(help="Participant id.")],
    jwk: Annotated[Path, typer.Argument(help="File with the public key, a JWK.")],
    kid: Annotated[str, typer.Option(help="Key id, unique in the log for ever.")],
    alg: Annotated[str, typer.Option(help="EdDSA, ES256, PS256, or SM2 (ruleset 3, statements only).")] = "EdDSA",
    use: Annotated[str, typer.Option(help="statement, or client for token requests.")] = "statement",
    state: State = None,
) -> None:
    """Register a public key of a participant."""
    with told_in_a_sentence():
        try:
            public = json.loads(jwk.read_bytes())
        except ValueError:
            fail(f"{jwk} is not JSON")
    with node_of(state) as node:
        [recorded] = node.ledger.record_documents(key_added(participant, kid, alg, use, public))
    say_entry(recorded)


@participants.command("revoke-key")
def participant_revoke_key(
    participant: Annotated[str, typer.Argument(help="Participant id.")],
    kid: Annotated[str, typer.Argument(help="Key id.")],
    reason: Annotated[str, typer.Option(help="A code, such as compromised or superseded.")] = "superseded",
    state: State = None,
) -> None:
    """Revoke a key: it signs nothing above this entry."""
    record(state, KeyRevoked, participant=participant, kid=kid, reason=reason)


@participants.command("suspend")
def participant_suspend(
    participant: Annotated[str, typer.Argument(help="Participant id.")],
    reason: Annotated[str, typer.Option(help="A code, such as licence-withdrawn.")],
    state: State = None,
) -> None:
    """Suspend a participant: it may only reduce sharing from here on."""
    record(state, ParticipantSuspended, participant=participant, reason=reason)


@participants.command("reinstate")
def participant_reinstate(
    participant: Annotated[str, typer.Argument(help="Participant id.")],
    reason: Annotated[str, typer.Option(help="A code.")],
    state: State = None,
) -> None:
    """End a suspension."""
    record(state, ParticipantReinstated, participant=participant, reason=reason)


@participants.command("endpoint")
def participant_endpoint(
    participant: Annotated[str, typer.Argument(help="Participant id.")],
    url: Annotated[str, typer.Argument(help="Where it is told of events, https://…")],
    *,
    enabled: Annotated[bool, typer.Option("--enabled/--disabled", help="Whether anything is sent there.")] = True,
    state: State = None,
) -> None:
    """Say where a participant is told of what happens to its consents."""
    with node_of(state) as node:
        known = node.ledger.registry.participant(participant)
        read_endpoint(url, development=node.settings.web.environment == "development")
        node.events.store.set_endpoint(known.id, url, enabled=enabled, now=SystemClock().now())
    said = f"{participant}: {url}" + ("" if enabled else " (disabled)")
    say(said, enabled=enabled, participant=participant, url=url)


@participants.command("list")
def participant_list(state: State = None) -> None:
    """List participants and their keys."""
    with node_of(state) as node:
        registry = node.ledger.registry
    told = []
    for one in sorted(registry.participants.values(), key=lambda one: one.id):
        standing = "REMOVED" if one.removed else "SUSPENDED" if one.suspended else "ACTIVE"
        shown = "" if standing == "ACTIVE" else f"  {standing}"
        mention(f"{one.id}  {plain(one.name)}  [{', '.join(one.roles)}]{shown}")
        keys = [key for key in registry.keys.values() if key.participant == one.id]
        for key in sorted(keys, key=lambda key: key.added_at):
            until = "" if key.revoked_at is None else f", revoked at {key.revoked_at}"
            mention(f"    {key.kid}  {key.alg}  {key.use}  added at {key.added_at}{until}")
        names = ("kid", "alg", "use", "added_at", "revoked_at")
        listed = [{name: getattr(key, name) for name in names} for key in keys]
        told.append({"id": one.id, "keys": listed, "name": one.name, "roles": list(one.roles), "standing": standing})
    result(participants=told)


@participants.command("remove")
def participant_remove(
    participant: Annotated[str, typer.Argument(help="Participant id.")],
    reason: Annotated[str, typer.Option(help="A code, such as licence-withdrawn.")],
    state: State = None,
) -> None:
    """Remove a participant for ever: it signs nothing more, and its consents are at an end."""
    record(state, ParticipantRemoved, participant=participant, reason=reason)


@participants.command("import")
def participant_import(
    feed: Annotated[Path, typer.Argument(help="The data file of a register.")],
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Record the documents; else they are only shown.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also those that can be taken for a registered participant.")
    ] = False,
    state: State = None,
) -> None:
    """Bring participants into line with a register's feed: a dry run, unless --apply."""
    with node_of(state) as node:
        plan = plan_feed(read_feed(feed), node.ledger.registry)
        for note in plan.notes:
            mention(f"note: {note}")
        warn_of_likeness(plan.documents, node.ledger.registry, force=force or not apply)
        if apply and plan.documents:
            recorded = node.ledger.record_documents(*plan.documents)
            indexes: list[int | None] = [entry.index for entry in recorded]
        else:
            indexes = [None] * len(plan.documents)
    for index, document in zip(indexes, plan.documents, strict=True):
        place = "-" if index is None else index
        what = document.get("name", document.get("reason", ""))
        mention(f"{place}  {document['type']}  {document['participant']}  {what}")
    say(
        f"{len(plan.documents)} documents " + ("recorded." if apply else "would be recorded; --apply records them."),
        applied=apply,
        documents=list(plan.documents),
        indexes=indexes,
        notes=list(plan.notes),
    )


def warn_of_likeness(documents: Iterable[Mapping[str, Any]], registry: Registry, *, force: bool) -> None:
    """Say which new participants can be taken for others, and refuse them unless `force`. Raises LooksAlike."""
    known = list(registry.participants.values())
    for document in documents:
        if document["type"] != "participant.registered":
            continue
        participant, name = document["participant"], document["name"]
        for sentence in likenesses(participant, name, known):
            warn(plain(sentence))
        if not force:
            require_unmistakable(participant, name, known)
        known.append(Participant(participant, name, (), 0))


@delegations.command("grant")
def delegation_grant(
    participant: Annotated[str, typer.Argument(help="Who is acted for.")],
    delegate: Annotated[str, typer.Argument(help="The technology provider that acts.")],
    act: Annotated[list[str], typer.Option(help="An act, such as consent.authorise; repeatable.")],
    state: State = None,
) -> None:
    """Let a technology provider sign acts on behalf of a participant; replaces what it might before."""
    record(
        state,
        DelegationGranted,
        participant=participant,
        delegate=delegate,
        acts=tuple(sorted(set(act))),
    )


@delegations.command("end")
def delegation_end(
    participant: Annotated[str, typer.Argument(help="Who is acted for.")],
    delegate: Annotated[str, typer.Argument(help="The technology provider.")],
    reason: Annotated[str, typer.Option(help="A code, such as contract-over.")],
    state: State = None,
) -> None:
    """End a delegation: nothing above this entry is signed under it."""
    record(state, DelegationEnded, participant=participant, delegate=delegate, reason=reason)


@purposes.command("define")
def purpose_define(
    code: Annotated[str, typer.Argument(help="The purpose's code, as terms name it.")],
    permission: Annotated[list[str], typer.Option(help="A permission it covers; repeatable.")],
    *,
    max_days: Annotated[int, typer.Option(min=0, help="How long a consent may last; 0 = no limit.")] = 0,
    max_frequency_per_day: Annotated[int, typer.Option(min=0, help="Accesses a day; 0 = no limit.")] = 0,
    max_history_days: Annotated[int, typer.Option(min=0, help="How far back; 0 = no limit.")] = 0,
    max_retention_days: Annotated[int, typer.Option(min=0, help="How long data is kept; 0 = no limit.")] = 0,
    state: State = None,
) -> None:
    """Define a purpose, for all terms and accesses that follow; replaces an earlier definition."""
    record(
        state,
        PurposeDefined,
        code=code,
        permissions=tuple(sorted(set(permission))),
        max_days=max_days,
        max_frequency_per_day=max_frequency_per_day,
        max_history_days=max_history_days,
        max_retention_days=max_retention_days,
    )


@purposes.command("apply")
def purpose_apply(
    pack: Annotated[str, typer.Argument(help="shopping, travel, education, credit, health, accounting, or a file.")],
    state: State = None,
) -> None:
    """Define all purposes of a scenario at once, or none; replaces earlier definitions of the same codes."""
    known = packs()
    with told_in_a_sentence():
        scenario = read_pack(known.get(pack, Path(pack)))
    with node_of(state) as node:
        recorded = node.ledger.record_documents(*(purpose.document() for purpose in scenario.purposes))
    for purpose, entry in zip(scenario.purposes, recorded, strict=True):
        mention(f"{purpose.code}: entry {entry.index}: {purpose.texts['en']}")
    say(f"{scenario.scenario}: {len(recorded)} purposes are defined", entries=[entry.index for entry in recorded])


@rulesets.command("activate")
def ruleset_activate(
    ruleset: Annotated[int, typer.Argument(help="Its number, above the present one.")], state: State = None
) -> None:
    """Judge all further entries by a newer ruleset. There is no way back."""
    with node_of(state) as node:
        [recorded] = node.ledger.record_documents(activation(ruleset))
    say_entry(recorded)
