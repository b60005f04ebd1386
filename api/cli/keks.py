"""`consent-ledger kek rotate`: a new key-encryption key (docs/operating.md, «Changing the KEK»)."""

from __future__ import annotations

from typing import Annotated

import typer

import migrations
from api.cli.saying import fail, say
from api.cli.shared import State, settings_from, told_in_a_sentence
from api.node.logs import configure_logging
from api.node.slots import slots_in_use
from ledger.assembly import key_store_of
from ledger.custody.log_key import read_signer
from ledger.vault.kek import change_kek, read_kek

keks = typer.Typer(help="The key-encryption key of the key store.", no_args_is_help=True)


@keks.command("rotate")
def kek_rotate(
    to: Annotated[
        str,
        typer.Option(help="Where the new KEK is kept: a URI such as pkcs11:…, or «file». Default: file, from file."),
    ] = "",
    state: State = None,
) -> None:
    """Wrap all data keys under a new key-encryption key, with all servers stopped. Safe to repeat after a crash."""
    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence():
        read_signer(settings.log_key_file)
        migrations.refuse_other_versions(settings.database_url)
        if slots_in_use(settings.highwater_dir):
            fail("a server or another command uses this state folder: stop all servers of this log, then rotate")
        new, count, old_path = change_kek(settings.kek_file, lambda kek: key_store_of(settings.keystore_url, kek), to)
        old_uri = read_kek(old_path).uri
    place = f", which names {new.uri}" if new.uri else ""
    with_it = f", with the key at {old_uri}" if old_uri else ""
    say(
        f"{count} data keys are wrapped under the KEK of epoch {new.epoch}, in {settings.kek_file}{place}.\n"
        f"1. Keep a copy of it where copies of the old one are, and give it to every other machine of this log.\n"
        f"2. Start the servers.\n"
        f"3. Destroy the old one: {old_path} and all copies{with_it}. From then on no older backup of the key "
        "store can be read.",
        epoch=new.epoch,
        kek_at=new.uri or None,
        kek_file=str(settings.kek_file),
        keys=count,
        old_kek_file=str(old_path),
    )
