"""`consent-ledger consent`: ask for a consent, give it, end it, read it, each with the participant's own keys over HTTP."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.folder import As, ParticipantFolder, seen, speak
from api.cli.saying import fail, files_told_in_a_sentence, mention, say

if TYPE_CHECKING:
    from api.client import LedgerClient, VerifiedReceipt
    from ledger.entries.terms import Terms

consents = typer.Typer(help="Ask for, give, end and read consents.", no_args_is_help=True)

DAY = 86_400
ConsentId = Annotated[str, typer.Argument(help="The consent's id.")]
By = Annotated[str, typer.Option(help="Who wanted it: customer, recipient, holder, …")]
Reason = Annotated[str, typer.Option(help="Why, a code.")]


@consents.command("request")
def consent_request(
    own: As,
    holder: Annotated[str, typer.Option(help="Participant id of the bank.")],
    permission: Annotated[list[str], typer.Option(help="A permission, such as ReadBalances; repeatable.")],
    purpose: Annotated[str, typer.Option(help="The purpose's code.")],
    purpose_text: Annotated[str, typer.Option(help="The purpose in words that the customer is shown.")],
    notice: Annotated[
        Path, typer.Option(help="File with the notice that the customer was shown; its hash is recorded.")
    ],
    days: Annotated[int, typer.Option(min=0, help="How long it shall last; 0: without end.")] = 90,
    frequency_per_day: Annotated[int, typer.Option(min=0, help="Accesses a day without the customer.")] = 4,
    retention_days: Annotated[int, typer.Option(min=0, help="How long the data is kept.")] = 90,
    language: Annotated[str, typer.Option(help="Language of the notice.")] = "en",
    consent_id: Annotated[str | None, typer.Option("--id", help="Its id; by default a new UUID.")] = None,
) -> None:
    """As recipient: ask for a consent, and keep the receipt."""
    from api.client import make_terms  # noqa: PLC0415  (a help text needs no client)

    with files_told_in_a_sentence():
        recipient, shown = ParticipantFolder.read(own).participant, notice.read_bytes()
    try:
        terms = make_terms(
            holder=holder,
            recipient=recipient,
            permissions=permission,
            purpose=purpose,
            purpose_text=purpose_text,
            notice=shown,
            expires_at=int(time.time()) + days * DAY if days else 0,
            frequency_per_day=frequency_per_day,
            retention_days=retention_days,
            language=language,
        )
    except ValueError as error:
        fail(str(error))
    chosen = consent_id or str(uuid.uuid4())
    _kept(own, chosen, lambda client: client.request_consent(chosen, terms))


@consents.command("authorise")
def consent_authorise(
    consent_id: ConsentId,
    own: As,
    customer: Annotated[str, typer.Option(help="The bank's own name for the customer; only a reference leaves here.")],
    account: Annotated[list[str], typer.Option(help="The bank's own name for an account; repeatable; likewise.")],
    acr: Annotated[str, typer.Option(help="How strongly the customer was authenticated, such as psd2:sca.")],
    amr: Annotated[list[str], typer.Option(help="By what, such as pwd, otp; repeatable.")],
    separate: Annotated[
        list[str] | None, typer.Option(help="KIND=FILE: a separate consent, and the words that were shown; repeatable.")
    ] = None,
    authenticated_at: Annotated[int | None, typer.Option(min=0, help="When, Unix seconds; by default now.")] = None,
) -> None:
    """As holder: say that the customer agreed to the terms that the log holds, for these accounts."""
    with files_told_in_a_sentence():
        words = {kind: Path(file).read_bytes() for kind, _, file in (one.partition("=") for one in separate or ())}
    sca = {
        "acr": acr,
        "amr": sorted(set(amr)),
        "at": int(time.time()) if authenticated_at is None else authenticated_at,
    }

    async def give(client: LedgerClient, folder: ParticipantFolder) -> list[tuple[VerifiedReceipt, Path]]:
        terms, version = _proposed(await client.history(consent_id))
        if lacking := sorted(set(terms.separate_consents) - words.keys()):
            said = " ".join(f"--separate {kind}=FILE" for kind in lacking)
            fail(f"the terms demand separate consents, without which every access is denied: say {said}")
        given = await client.authorise(
            consent_id,
            terms,
            customer=customer,
            accounts=account,
            pseudonyms=folder.pseudonyms(),
            sca=sca,
            version=version,
            separate_consents=words,
        )
        return [(receipt, folder.keep(receipt)) for receipt in given]

    (receipt, file), (beside, _) = speak(own, give)
    say(
        f"{consent_id}: {status(receipt)}, entry {receipt.index}; the receipt is {file}",
        consent_id=consent_id,
        companion=beside.index,
        status=status(receipt),
        **seen(receipt, file),
    )


@consents.command("revoke")
def consent_revoke(consent_id: ConsentId, own: As, by: By = "customer", reason: Reason = "customer-request") -> None:
    """End a consent for ever: no access is allowed at any higher index."""
    _kept(own, consent_id, lambda client: client.revoke(consent_id, by=by, reason=reason))


@consents.command("show")
def consent_show(consent_id: ConsentId, own: As) -> None:
    """A consent's present state as the ledger tells it, and its history, each entry verified."""

    async def read(client: LedgerClient, _: ParticipantFolder) -> tuple[Any, list[VerifiedReceipt]]:
        return await client.consent(consent_id), await client.history(consent_id)

    state, history = speak(own, read)
    mention(f"{consent_id}: {state['status']}, version {state['version']}, {state['holder']} → {state['recipient']}")
    say(
        "\n".join(f"  entry {one.index}: {one.act} → {status(one)}" for one in history),
        consent=state,
        history=[seen(one) for one in history],
    )


@consents.command("expire")
def consent_expire(
    consent_id: ConsentId,
    state: Annotated[Path | None, typer.Option("--state", help="State folder (CONSENT_LEDGER_STATE_DIR).")] = None,
) -> None:
    """As operator: make it visible in the log that a consent's time is over; safe beside servers."""
    from api.cli.shared import node_of  # noqa: PLC0415  (only this command of the group works on the database)

    with node_of(state) as node:
        recorded = node.ledger.record_expiry(consent_id)
    say(f"{consent_id}: EXPIRED, entry {recorded.index}", consent_id=consent_id, index=recorded.index, status="EXPIRED")


def _kept(own: Path, consent_id: str, ask: Any) -> None:
    """Do one thing about a consent, and keep its receipt."""

    async def done(client: LedgerClient, folder: ParticipantFolder) -> tuple[VerifiedReceipt, Path]:
        receipt = await ask(client)
        return receipt, folder.keep(receipt)

    receipt, file = speak(own, done)
    say(
        f"{consent_id}: {status(receipt)}, entry {receipt.index}; the receipt is {file}",
        consent_id=consent_id,
        status=status(receipt),
        **seen(receipt, file),
    )


def status(receipt: VerifiedReceipt) -> str:
    """The state of the consent after this entry."""
    return str(getattr(receipt.outcome, "status", "recorded"))


def _proposed(history: list[VerifiedReceipt]) -> tuple[Terms, int]:
    """The newest terms that were asked for, and their version: from receipts that are verified."""
    terms, version = None, 0
    for receipt in history:
        if (said := getattr(receipt.payload, "terms", None)) is not None:
            terms, version = said, getattr(receipt.payload, "previous_version", 0) + 1
    if terms is None:
        fail("the ledger shows no terms of this consent to its holder")
    return terms, version
