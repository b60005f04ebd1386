"""`consent-ledger keys`: a participant's own keys, made where they will be used (docs/commands.md)."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from msgspec import ValidationError, convert

from api.cli.folder import ParticipantFolder, private_folder
from api.cli.saying import files_told_in_a_sentence, say
from api.client.signing import Algorithm, HeldSigner, LocalSigner
from ledger.canonical import encode
from ledger.custody.held_jwk import make_held_jwk
from ledger.entries.fields import ParticipantId
from ledger.errors import InvalidInput
from ledger.secrets import write_secret

keys = typer.Typer(help="A participant's own keys.", no_args_is_help=True)


@keys.command("new")
def keys_new(
    folder: Annotated[Path, typer.Argument(help="New folder for the keys and for what the ledger answers.")],
    participant: Annotated[str, typer.Option(help="Participant id, such as bank-a, as the operator registers it.")],
    url: Annotated[str, typer.Option(help="Base address of the ledger.")] = "http://127.0.0.1:8000",
    log_key: Annotated[
        str, typer.Option(help="The log's verifier key, learnt from its operator by another way than from the ledger.")
    ] = "",
    alg: Annotated[Algorithm, typer.Option(help="What statements are signed with.")] = "EdDSA",
    statement_key: Annotated[
        str, typer.Option(help="Where the key for statements is kept, a URI such as pkcs11:…. Default: a file.")
    ] = "",
) -> None:
    """Make a key for statements and one for reading, each private half with mode 0600, and their public halves."""
    with files_told_in_a_sentence():
        _check_id(participant)
        private_folder(folder)
        made = {}
        for use, signer in (
            ("statement", _statement_signer(folder / "statement.pem", alg, statement_key)),
            ("client", _in_file(folder / "client.pem", "ES256")),
        ):
            signer.kid = f"{participant}-{use}-{sha256(encode(dict(signer.jwk))).hexdigest()[:8]}"
            (folder / f"{use}.jwk").write_text(json.dumps(dict(signer.jwk)) + "\n", "utf-8")
            made[use] = signer
        write_secret(folder / "references.key", os.urandom(32))
        ParticipantFolder(
            folder, participant, url, log_key, statement_kid=made["statement"].kid, client_kid=made["client"].kid
        ).write()
    register = [
        f"consent-ledger participant key {participant} {use}.jwk --kid {signer.kid} --alg {signer.alg} --use {use}"
        for use, signer in made.items()
    ]
    say(
        f"{folder} holds the keys of {participant}. Give statement.jwk and client.jwk to the operator, who runs\n\n  "
        + "\n  ".join(register)
        + ("" if log_key else "\n\nand write the log's verifier key into participant.toml as log_key."),
        client_kid=made["client"].kid,
        folder=str(folder),
        participant=participant,
        statement_kid=made["statement"].kid,
        register=register,
    )


def _in_file(path: Path, alg: Algorithm) -> LocalSigner:
    signer = LocalSigner.generate("", alg)
    signer.save(path)
    return signer


def _statement_signer(path: Path, alg: Algorithm, place: str) -> LocalSigner | HeldSigner:
    if not place:
        return _in_file(path, alg)
    if alg == "PS256":
        raise InvalidInput("a key that is kept elsewhere signs with EdDSA or ES256: set --alg")
    return HeldSigner("", make_held_jwk(path, place, alg))


def _check_id(participant: str) -> None:
    """Before anything is written. Raises InvalidInput."""
    try:
        convert(participant, ParticipantId)
    except ValidationError:
        raise InvalidInput(
            f"{participant!r} is not a participant id: 2 to 63 of a-z, 0-9, dot, hyphen and underscore"
        ) from None
