"""`consent-ledger attestation`, `tariff`, `usage`: what partners declare to each other, with their own keys over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.cli.folder import As, ParticipantFolder, seen, speak
from api.cli.officers import Officers, two_of
from api.cli.saying import fail, files_told_in_a_sentence, mention, say
from ledger.canonical import b64u

if TYPE_CHECKING:
    from api.client import LedgerClient, VerifiedReceipt

attestations = typer.Typer(help="Licences, certificates, tests and contacts of participants.", no_args_is_help=True)
tariffs = typer.Typer(help="What releases cost, signed by both sides.", no_args_is_help=True)
usages = typer.Typer(help="What a month of releases comes to, signed by both sides.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="A code, such as ended.")]
Offer = Annotated[int, typer.Argument(min=0, help="Index of the offer's entry.")]
Statement = Annotated[int, typer.Argument(min=0, help="Index of the statement's entry.")]
LeftOut = Annotated[
    list[str] | None, typer.Option("--left-out", help="INDEX:REASON of an entry that is not billed; repeatable.")
]


@attestations.command("give")
def attestation_give(
    attestation: Annotated[str, typer.Argument(help="A new name for it, such as licence-2026.")],
    own: As,
    kind: Annotated[str, typer.Option(help="licence, certificate, security-test, contact, insurance, …")],
    issuer: Annotated[str, typer.Option(help="Who issued it.")],
    document: Annotated[Path, typer.Option(help="The document: only its hash leaves here.")],
    valid_until: Annotated[int, typer.Option(min=0, help="Until when it counts, Unix seconds.")],
) -> None:
    """As any participant: attest something of oneself."""
    from hashlib import sha256  # noqa: PLC0415  (a help text needs no hash)

    with files_told_in_a_sentence():
        digest = b64u(sha256(document.read_bytes()).digest())
    _declare(
        own,
        "attestation.give",
        "/partners/attestations",
        attestation=attestation,
        document_hash=digest,
        issuer=issuer,
        kind=kind,
        valid_until=valid_until,
    )


@attestations.command("withdraw")
def attestation_withdraw(
    attestation: Annotated[str, typer.Argument(help="Its name.")], own: As, reason: Reason
) -> None:
    """As who gave it: withdraw an attestation."""
    _declare(own, "attestation.withdraw", "/partners/attestations/withdraw", attestation=attestation, reason=reason)


@attestations.command("approve")
def attestation_approve(
    participant: Annotated[str, typer.Argument(help="Whose attestation it is.")],
    attestation: Annotated[int, typer.Argument(min=0, help="Index of its entry.")],
    approved_by: Officers,
    state: Annotated[Path | None, typer.Option("--state", help="State folder (CONSENT_LEDGER_STATE_DIR).")] = None,
) -> None:
    """As operator: approve what a participant attests, by two officers."""
    from api.cli.shared import record  # noqa: PLC0415  (only this command of the group works on the database)
    from ledger.orders import AttestationApproved  # noqa: PLC0415

    approving = two_of(approved_by)
    record(state, AttestationApproved, approved_by=approving, attestation=attestation, participant=participant)


@attestations.command("certify")
def attestation_certify(
    participant: Annotated[str, typer.Argument(help="Whose system ran.")],
    *,
    suite: Annotated[str, typer.Option(help="Code of the conformance suite.")],
    suite_version: Annotated[str, typer.Option(help="Its version, a code.")],
    passed: Annotated[int, typer.Option(min=0, help="How many behaviours were right.")],
    total: Annotated[int, typer.Option(min=0, help="Of how many.")],
    run_log: Annotated[Path, typer.Option("--log", help="The run's log: only its hash leaves here.")],
    approved_by: Officers,
    state: Annotated[Path | None, typer.Option("--state", help="State folder (CONSENT_LEDGER_STATE_DIR).")] = None,
) -> None:
    """As operator: certify a participant's conformance run, by two officers."""
    from hashlib import sha256  # noqa: PLC0415  (a help text needs no hash)

    from api.cli.shared import record  # noqa: PLC0415  (works on the database)
    from ledger.orders import ConformanceCertified  # noqa: PLC0415

    approving = two_of(approved_by)
    with files_told_in_a_sentence():
        digest = b64u(sha256(run_log.read_bytes()).digest())
    record(
        state,
        ConformanceCertified,
        approved_by=approving,
        log_hash=digest,
        participant=participant,
        passed=passed,
        suite=suite,
        suite_version=suite_version,
        total=total,
    )


@attestations.command("list")
def attestation_list(
    own: As, participant: Annotated[str | None, typer.Option(help="Only of this participant.")] = None
) -> None:
    """As any participant: attestations and certificates, of all or of one."""
    query = {} if participant is None else {"participant": participant}
    found = _read(own, "/partners/attestations", query)
    for each in found["attestations"]:
        mention(f"{each['index']}  {each['participant']}  {each['attestation']}  {each['kind']}  {each['state']}")
    for each in found["certificates"]:
        mention(f"{each['index']}  {each['participant']}  {each['suite']}  {each['passed']} of {each['total']}")
    say(f"{len(found['attestations'])} attestations, {len(found['certificates'])} certificates.", **found)


@tariffs.command("offer")
def tariff_offer(
    file: Annotated[
        Path,
        typer.Argument(help="JSON with currency, from, lines, recipient (empty: any), tariff, utc_offset."),
    ],
    own: As,
) -> None:
    """As holder: offer a tariff."""
    with files_told_in_a_sentence():
        text = file.read_text("utf-8")
    try:
        members = json.loads(text)
    except ValueError as error:
        fail(f"{file} is not JSON: {error}")
    if not isinstance(members, dict):
        fail(f"{file} holds no object")
    _declare(own, "tariff.offer", "/partners/tariffs", **members)


@tariffs.command("accept")
def tariff_accept(offer: Offer, own: As) -> None:
    """As recipient: accept an offer; from here on both sides have signed it."""
    _declare(own, "tariff.accept", "/partners/tariffs/accept", offer=offer)


@tariffs.command("end")
def tariff_end(
    offer: Offer,
    own: As,
    reason: Reason,
    from_: Annotated[int, typer.Option("--from", min=0, help="Unix seconds: no month that begins then or later.")],
) -> None:
    """As holder or recipient: end a tariff."""
    _declare(own, "tariff.end", "/partners/tariffs/end", offer=offer, reason=reason, **{"from": from_})


@tariffs.command("list")
def tariff_list(own: As) -> None:
    """As any participant: the tariffs that concern it."""
    found = _read(own, "/partners/tariffs")
    for each in found["tariffs"]:
        to = each["recipient"] or "any"
        mention(f"{each['offer']}  {each['tariff']}  {each['holder']} → {to}  {each['currency']}, {_standing(each)}")
    say(f"{len(found['tariffs'])} tariffs.", **found)


def _standing(tariff: dict[str, Any]) -> str:
    accepted = ", ".join(tariff["accepted"]) or "nobody"
    return f"accepted by {accepted}" + ("; ended" if tariff["ended"] else "")


@usages.command("count")
def usage_count(
    offer: Offer,
    own: As,
    month: Annotated[str, typer.Option(help="YYYY-MM, under the tariff's offset.")],
    recipient: Annotated[str | None, typer.Option(help="Of whom; for a recipient itself.")] = None,
    left_out: LeftOut = None,
) -> None:
    """As holder or recipient: what a month comes to; nothing is recorded."""
    counted = _count(own, offer, recipient, month, left_out)
    say(f"{counted['count']} releases, {counted['total']} minor units, root {counted['root']}", **counted)


@usages.command("state")
def usage_state(
    offer: Offer,
    own: As,
    month: Annotated[str, typer.Option(help="YYYY-MM, under the tariff's offset.")],
    recipient: Annotated[str, typer.Option(help="Who owes it.")],
    left_out: LeftOut = None,
) -> None:
    """As holder: count a month and sign what it comes to, in the place of an earlier statement if there is one."""
    _declare(own, "usage.state", "/partners/usage", **_count(own, offer, recipient, month, left_out))


@usages.command("answer")
def usage_answer(
    statement: Statement,
    own: As,
    dispute: Annotated[
        list[str] | None, typer.Option(help="INDEX:REASON of an entry that is disputed; repeatable; none: agreed.")
    ] = None,
) -> None:
    """As recipient: agree to a statement, or name the entries that are disputed."""
    disputed = sorted((_named(one) for one in dispute or ()), key=lambda each: each["index"])
    answer = "disputed" if disputed else "agreed"
    _declare(own, "usage.answer", "/partners/usage/answer", answer=answer, disputed=disputed, statement=statement)


@usages.command("list")
def usage_list(own: As) -> None:
    """As holder or recipient: its statements, the last one first."""
    found = _read(own, "/partners/usage")
    for each in found["statements"]:
        mention(
            f"{each['index']}  {each['month']}  {each['holder']} → {each['recipient']}  {each['count']} releases, "
            f"{each['total']} minor units of {each['currency']}, {each['state']}"
        )
    say(f"{len(found['statements'])} statements.", **found)


@usages.command("entries")
def usage_entries(
    statement: Statement, own: As, out: Annotated[Path | None, typer.Option(help="Into this file.")] = None
) -> None:
    """As holder or recipient: the entries that a statement counts, one index in each line."""
    _fetched(own, f"/partners/usage/{statement}/entries", out)


@usages.command("invoice")
def usage_invoice(
    statement: Statement,
    own: As,
    form: Annotated[Literal["csv", "ubl"], typer.Option(help="CSV, or XML in the manner of UBL 2.1.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="Into this file.")] = None,
) -> None:
    """As holder or recipient: the invoice of a statement."""
    _fetched(own, f"/partners/usage/{statement}/invoice", out, {"form": form})


def _count(own: Path, offer: int, recipient: str | None, month: str, left_out: list[str] | None) -> dict[str, Any]:
    with files_told_in_a_sentence():
        whom = recipient or ParticipantFolder.read(own).participant
    query: dict[str, Any] = {"month": month, "offer": offer, "recipient": whom}
    if left_out:
        query["left_out"] = left_out
    counted: dict[str, Any] = _read(own, "/partners/usage/count", query)
    return counted


def _named(given: str) -> dict[str, Any]:
    index, colon, reason = given.partition(":")
    if not (colon and index.isascii() and index.isdigit() and reason):
        fail(f"{given!r} is not INDEX:REASON")
    return {"index": int(index), "reason": reason}


def _declare(own: Path, act: str, path: str, **members: Any) -> None:
    """Sign and record a declaration, and keep its receipt."""

    async def said(client: LedgerClient, folder: ParticipantFolder) -> tuple[VerifiedReceipt, Path]:
        [receipt] = await client.ask(path, await client.statements.sign(act, **members))
        return receipt, folder.keep(receipt)

    receipt, file = speak(own, said)
    say(f"{act}: entry {receipt.index}; the receipt is {file}", **seen(receipt, file))


def _read(own: Path, path: str, query: dict[str, Any] | None = None) -> Any:
    async def asked(client: LedgerClient, _: ParticipantFolder) -> Any:
        return await client.read(path, query)

    return speak(own, asked)


def _fetched(own: Path, path: str, out: Path | None, query: dict[str, Any] | None = None) -> None:
    async def asked(client: LedgerClient, _: ParticipantFolder) -> str:
        return await client.text(path, query)

    text = speak(own, asked)
    if out is None:
        say(text.rstrip("\n"), text=text)
        return
    with files_told_in_a_sentence():
        out.write_text(text, "utf-8", newline="")
    say(f"{out}: {len(text.splitlines())} lines", file=str(out))
