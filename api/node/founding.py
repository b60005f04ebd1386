"""A new log and its keys: made once, before any node is built from its settings."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

import migrations
from api.node.settings import Settings
from api.node.slots import claim_slot, highwater_files
from api.tokens.keys import TokenSigner
from ledger.assembly import create_log, make_keys, open_ledger
from ledger.clock import Clock
from ledger.custody.log_key import read_signer
from ledger.engines.engine import is_file, make_database
from ledger.errors import Corrupt, InvalidInput, NotFound
from ledger.notes.sandbox import SANDBOX_ORIGINS, is_sandbox
from ledger.vault.kek import read_kek


@dataclass(frozen=True, slots=True)
class KeyPlaces:
    """Where the keys of a new log are kept: URIs (ledger/custody/places.py); empty for a key in its file."""

    log_key: str = ""
    kek: str = ""
    token_key: str = ""
    event_key: str = ""


def make_all_keys(settings: Settings, origin: str, places: KeyPlaces = KeyPlaces()) -> None:
    """Make the keys of a log named `origin` that is to be opened elsewhere, with them: no database is asked.

    Raises Conflict when a key file exists already, InvalidInput, Unavailable.
    """
    _refuse_names_of_sandboxes(origin, sandbox=False)
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = settings.node_config(settings.highwater_dir / "none")
    make_keys(config, origin, log_key=places.log_key, kek=places.kek)
    make_client_keys(settings, places)


def _refuse_names_of_sandboxes(origin: str, *, sandbox: bool) -> None:
    if is_sandbox(origin) != sandbox:
        raise InvalidInput(
            f"{SANDBOX_ORIGINS}… is the name of sandboxes, and of nothing else: choose an origin under your own domain"
        )


def _check_keys(settings: Settings, origin: str) -> None:
    """All keys are here, and the log's is one of `origin`. Raises NotFound, InvalidInput."""
    signer = read_signer(settings.log_key_file)
    if signer.vkey.name != origin:
        raise InvalidInput(f"{settings.log_key_file} is a key of {signer.vkey.name}, and the log is to be {origin}")
    read_kek(settings.kek_file)
    for file in (settings.token_key_file, settings.event_key_file):
        TokenSigner.load(file)
    if not settings.operator_jwks_file.exists():
        raise NotFound(f"there is no {settings.operator_jwks_file}: «init --keys-only» makes it with the other keys")


def initialise(
    settings: Settings,
    origin: str,
    places: KeyPlaces = KeyPlaces(),
    *,
    with_keys: bool = False,
    clock: Clock | None = None,
    sandbox: bool = False,
) -> None:
    """Make keys, tables and the first entry of a new log named `origin`; `with_keys`: with the keys that are here. `sandbox`:
    it is one, and named as one.

    Raises Conflict when a key file or a log exists already, NotFound, InvalidInput for an unfit origin or place, Unavailable.
    """
    _refuse_names_of_sandboxes(origin, sandbox=sandbox)
    if with_keys:
        _check_keys(settings, origin)
    if not is_file(settings.database_url):
        migrations.refuse_newer(settings.database_url)  # it answers: else keys would be made for a log that is not
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    slot = claim_slot(settings.highwater_dir)
    try:
        signed = highwater_files(settings.highwater_dir)
        if signed:
            raise Corrupt(
                f"{signed[0]} says that this machine has signed for a log before: a new database would be a second history. "
                "Bring the old database back, or choose another state folder"
            )
        config = settings.node_config(slot.highwater_file)
        if not with_keys:
            make_keys(config, origin, log_key=places.log_key, kek=places.kek)
            make_client_keys(settings, places)
        migrations.upgrade(settings.database_url)
        if settings.keystore_beside:
            make_database(settings.keystore_url, settings.database_url)
        create_log(config, clock=clock)
    finally:
        slot.release()


def restrict(settings: Settings, role: str) -> None:
    """Leave the role that the service logs in as, on PostgreSQL, what it needs and no more. Raises InvalidInput."""
    migrations.grant(settings.database_url, role)
    if not is_file(settings.keystore_url):
        ledger = open_ledger(settings.node_config(settings.highwater_dir / "reader"))  # makes the key store's table
        ledger.store.close()
        ledger.keystore.close()
        migrations.grant_keys(settings.keystore_url, role)


def make_client_keys(settings: Settings, places: KeyPlaces = KeyPlaces()) -> None:
    """Make the keys of tokens and of events, and the operator's first client key with its public half beside it.

    Raises Conflict when a file exists already.
    """
    TokenSigner.make(settings.token_key_file, places.token_key)
    make_event_key(settings, places.event_key)
    operator = TokenSigner.make(settings.operator_jwks_file.with_name("operator.key"))
    settings.operator_jwks_file.write_bytes(msgspec.json.encode({"keys": [operator.published]}) + b"\n")


def make_event_key(settings: Settings, place: str = "") -> None:
    """Make the key that signs events, unless there is one: a log that is older than events has none."""
    if not settings.event_key_file.exists():
        TokenSigner.make(settings.event_key_file, place)
