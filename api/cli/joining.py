"""`consent-ledger partner`: coming in by an invitation, changing one's keys, stopping oneself (docs/partners.md)."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli.folder import As, ParticipantFolder, private_folder, speak
from api.cli.saying import fail, files_told_in_a_sentence, say

if TYPE_CHECKING:
    from api.client import LedgerClient, LocalSigner

joining = typer.Typer(help="Coming in by an invitation, changing keys, stopping.", no_args_is_help=True)

State = Annotated[Path | None, typer.Option("--state", help="State folder (CONSENT_LEDGER_STATE_DIR).")]
By = Annotated[str, typer.Option("--by", help="Who does it: a code of the person, as the log will name it.")]
HOURS: Final = 72


@joining.command("invite")
def partner_invite(
    participant: Annotated[str, typer.Argument(help="The id it will have in the log.")],
    *,
    name: Annotated[str, typer.Option(help="Its name, as people will read it.")],
    role: Annotated[list[str], typer.Option(help="recipient, holder or technology-provider; repeatable.")],
    by: By,
    hours: Annotated[int, typer.Option(min=1, max=720, help="How long it holds.")] = HOURS,
    confirm_likeness: Annotated[
        bool, typer.Option("--confirm-likeness", help="It is meant although it looks like a registered one.")
    ] = False,
    state: State = None,
) -> None:
    """As operator: make an invitation, for one use. Nothing is recorded until it is used."""
    from api.cli.shared import reader_of  # noqa: PLC0415  (works on the database)
    from ledger.clock import SystemClock  # noqa: PLC0415

    with reader_of(state) as node:
        node.ledger.sequencer.refresh()
        invitation = node.invitations.make(
            participant,
            name,
            role,
            invited_by=by,
            hours=hours,
            now=SystemClock().now() // 1000,
            known=node.ledger.registry.participants.values(),
            meant=confirm_likeness,
        )
        link = f"{node.settings.base_url}/join#{invitation}"
    say(link, link=link, participant=participant)


@joining.command("admit")
def partner_admit(
    participant: Annotated[str, typer.Argument(help="Who waits to be let in, or in again.")],
    by: By,
    state: State = None,
) -> None:
    """As operator: let a newcomer in, by another person than the one who invited it."""
    from api.cli.shared import node_of, say_entry  # noqa: PLC0415  (works on the database)
    from api.partners.invitations import admission  # noqa: PLC0415

    with node_of(state) as node:
        one = node.ledger.registry.participant(participant)
        [recorded] = node.ledger.record_documents(admission(one, by))
    say_entry(recorded)


@joining.command("join")
def partner_join(
    link: Annotated[str, typer.Argument(help="The invitation's address, whole.")],
    own: Annotated[Path, typer.Option("--as", help="The new folder for keys and receipts.")],
    log_key: Annotated[str, typer.Option(help="The log's verifier key, learnt from its operator another way.")] = "",
) -> None:
    """As newcomer: make keys in a new folder, prove that they are held, and register."""
    participant = come_in(link, own, log_key)
    say(
        f"{participant}: registered; a second person at the operator lets it in",
        participant=participant,
        folder=str(own),
    )


def come_in(link: str, own: Path, log_key: str) -> str:
    """Make the folder and register; who was registered. Ends the command in a sentence if that is refused."""
    import httpx2  # noqa: PLC0415  (a help text needs no HTTP)

    from api.client import LocalSigner  # noqa: PLC0415
    from ledger.canonical import unb64u  # noqa: PLC0415

    address, _, token = link.partition("/join#")
    try:
        invited = json.loads(unb64u(token.split(".")[1]))
        participant, origin = str(invited["sub"]), str(invited["iss"])
    except Exception:  # noqa: BLE001  (whatever it is, it is not an invitation)
        fail("this is not an invitation's address: it reads https://…/join#…, and is needed whole")
    keys = {
        use: LocalSigner.generate(f"{participant[:40]}-{use}-{_fresh()}", "EdDSA") for use in ("statement", "client")
    }
    said = {
        "invitation": token,
        "keys": [proved(key, use, participant, origin) for use, key in keys.items()],
    }
    with files_told_in_a_sentence():
        private_folder(own)
        for use, key in keys.items():
            key.save(own / f"{use}.pem")
        try:
            answer = httpx2.post(f"{address}/partners/join", json=said, timeout=65)
        except httpx2.HTTPError as error:
            fail(f"the ledger does not answer: {error}")
        if answer.status_code != 201:
            fail(f"{answer.status_code}: {answer.json().get('detail', 'refused')}")
        ParticipantFolder(own, participant, address, log_key, keys["statement"].kid, keys["client"].kid).write()
    return participant


@joining.command("rotate")
def partner_rotate(own: As) -> None:
    """As any participant: a new key for statements takes the place of the present one."""
    from api.client import LocalSigner  # noqa: PLC0415  (a help text needs no client)

    async def rotate(client: LedgerClient, folder: ParticipantFolder) -> str:
        new = LocalSigner.generate(f"{folder.participant[:40]}-statement-{_fresh()}", "EdDSA")
        coming = folder.path / "statement.next.pem"
        coming.unlink(missing_ok=True)
        new.save(coming)
        await client.send(
            "POST", "/partners/keys", proved(new, "statement", folder.participant, client.statements.origin)
        )
        (folder.path / "statement.pem").replace(folder.path / "statement.old.pem")
        coming.replace(folder.path / "statement.pem")
        file = folder.path / "participant.toml"
        text = file.read_text("utf-8")
        file.write_text(text.replace(json.dumps(folder.statement_kid), json.dumps(new.kid)), "utf-8")
        await client.send("DELETE", f"/partners/keys/{folder.statement_kid}")
        return new.kid

    kid = speak(own, rotate)
    say(f"{kid} signs from now on; the key before it is revoked, and lies in statement.old.pem", kid=kid)


@joining.command("suspend")
def partner_suspend(own: As, reason: Annotated[str, typer.Option(help="A code, such as key-lost.")]) -> None:
    """As any participant: suspend oneself at once; the operator lets it in again."""

    async def stop(client: LedgerClient, _: ParticipantFolder) -> Any:
        return await client.send("POST", "/partners/suspension", {"reason": reason})

    [entry] = speak(own, stop)["entries"]
    say(f"suspended: entry {entry['index']}", index=entry["index"])


def proved(key: LocalSigner, use: str, participant: str, origin: str) -> dict[str, Any]:
    """A public key with the proof that its private half is here."""
    from api.client.signing import sign_jwt  # noqa: PLC0415  (a help text needs no client)

    claims = {"aud": origin, "kid": key.kid, "participant": participant, "use": use}
    return {
        "alg": key.alg,
        "jwk": dict(key.jwk),
        "kid": key.kid,
        "proof": sign_jwt(key, {"typ": "key-proof+jwt"}, claims),
        "use": use,
    }


def _fresh() -> str:
    return base64.urlsafe_b64encode(os.urandom(6)).decode()
