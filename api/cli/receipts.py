"""`consent-ledger receipt`: what a receipt says, and whether the log's key stands behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli.folder import ENVIRONMENT, ParticipantFolder, seen, trust_of
from api.cli.saying import DEFECT, fail, files_told_in_a_sentence, say

if TYPE_CHECKING:
    from api.client import VerifiedReceipt

receipts = typer.Typer(help="Read and verify receipts.", no_args_is_help=True)

NOT_HERE: Final = "Signatures of participants are not checked here: «consent-verify receipt» does that."

File = Annotated[Path, typer.Argument(help="A receipt's file.")]
Believed = Annotated[str, typer.Option(help="The log's verifier key, learnt from its operator.")]
State = Annotated[Path | None, typer.Option("--state", help="State folder (CONSENT_LEDGER_STATE_DIR).")]
Known = Annotated[
    Path | None, typer.Option("--as", envvar=ENVIRONMENT, help="A participant's folder, whose log_key is believed.")
]


@receipts.command("show")
def receipt_show(file: File, log_key: Believed = "", known: Known = None) -> None:
    """Verify a receipt, and tell what it says: the statement, and what the ledger decided."""
    receipt = _verified(file, log_key, known)
    say("\n".join(lines(receipt)), **seen(receipt, file))


@receipts.command("verify")
def receipt_verify(file: File, log_key: Believed = "", known: Known = None) -> None:
    """Verify a receipt under the log's key: proof, contents, place. Exit status 3 when it proves nothing."""
    receipt = _verified(file, log_key, known)
    say(
        f"{file}: entry {receipt.index} is in the log {receipt.checkpoint.origin}, {receipt.level}. {NOT_HERE}",
        **seen(receipt, file),
    )


@receipts.command("cose")
def receipt_cose(
    file: File,
    out: Annotated[Path, typer.Option("--out", help="Where the transparent statement is written.")],
    state: State = None,
) -> None:
    """As operator: sign a receipt of this log once more, as a COSE receipt within a transparent statement, for whoever has COSE
    and no tlog client. Only a root that this log key has signed before is signed."""
    from api.cli.shared import settings_from  # noqa: PLC0415  (a participant's help text needs no node)
    from ledger.cose import transparent_statement  # noqa: PLC0415
    from ledger.custody.log_key import read_signer  # noqa: PLC0415

    settings = settings_from(state)
    with files_told_in_a_sentence():
        made = transparent_statement(file.read_bytes(), read_signer(settings.log_key_file))
        out.write_bytes(made)
    say(f"{out}: a transparent statement of {file}, {len(made)} bytes.", file=str(out), bytes=len(made))


def _verified(file: Path, log_key: str, known: Path | None) -> VerifiedReceipt:
    from api.client import ReceiptRefused, open_receipt  # noqa: PLC0415  (a help text needs no client)

    with files_told_in_a_sentence():
        if log_key or known is None:
            trust = trust_of(log_key)
        else:
            trust = ParticipantFolder.read(known).trust()
        data = file.read_bytes()
        try:
            return open_receipt(data, trust)
        except ReceiptRefused as error:
            fail(f"{file}: {error.detail}", DEFECT)


def lines(receipt: VerifiedReceipt) -> list[str]:
    """A verified receipt for people."""
    told = seen(receipt)
    at = datetime.fromtimestamp(receipt.time / 1000, UTC)
    found = [
        f"entry {receipt.index} of {receipt.checkpoint.origin}: {receipt.act}, {at:%Y-%m-%d %H:%M:%S} UTC, {receipt.level}"
    ]
    for name in ("statement", "item", "outcome", "document"):
        if isinstance(said := told[name], dict):
            found += [f"  {name}"] + [f"    {member}: {value}" for member, value in said.items()]
    return found
