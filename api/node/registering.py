"""How clients register themselves at a node: the registers that its gateway's file names, and where keys are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from api.events.connecting import fetch_public, poll_public
from api.node.settings import Settings
from api.office.configuration import RegisterOptions, read_gateway_file
from api.registers.key_sets import KeySets
from api.registers.registration import Registering, TrustedRegister
from api.registers.watching import Polled, RegisterWatcher, WatchedRegister
from api.tokens.keys import PublicKey, read_key_set
from api.tokens.once import Once
from api.tokens.registrations import Registrations
from ledger.app import Ledger
from ledger.errors import NotFound

CDR_VERSIONS: Final = {"x-v": "3", "x-min-v": "1"}
"""Of Get Software Products Statuses: its versions differ in the industries that they list."""


def registering_of(settings: Settings, ledger: Ledger, registrations: Registrations, once: Once) -> Registering:
    """Registration as `gateway.json` has it. Raises NotFound, InvalidInput for unfit files."""
    path = settings.gateway_file
    named = read_gateway_file(path).registers if path.exists() else ()
    fetch = partial(fetch_public, development=settings.web.environment == "development")
    sets = KeySets(fetch)
    registers = [
        TrustedRegister(one.issuer, one.form, _keys(one, path.parent, sets), dict(one.software)) for one in named
    ]
    software = KeySets(fetch, refetch=0)  # asked only upon a register's word, and then what holds now
    return Registering(ledger, registrations, once, settings.base_url, registers, software, sets)


def watcher_of(settings: Settings, ledger: Ledger, registering: Registering) -> RegisterWatcher | None:
    """Who looks at the registers that list the standing of software; None where `gateway.json` names none."""
    path = settings.gateway_file
    named = read_gateway_file(path).registers if path.exists() else ()
    watched = tuple(WatchedRegister(one.statuses_uri, dict(one.software)) for one in named if one.statuses_uri)
    development = settings.web.environment == "development"

    def poll(address: str, etag: str) -> Polled:
        return Polled(*poll_public(address, etag, CDR_VERSIONS, development=development))

    return RegisterWatcher(ledger, watched, poll, registering.forget) if watched else None


def _keys(register: RegisterOptions, folder: Path, sets: KeySets) -> Callable[[str], Mapping[str, PublicKey]]:
    """A register's keys by key id, looked for with the one that is wanted."""
    if register.jwks_uri:
        return partial(sets.keys, register.jwks_uri)
    file = folder / register.jwks_file
    if not file.is_file():
        raise NotFound(f"{file}, with the keys of the register {register.issuer!r}, does not exist")
    keys = read_key_set(file)
    return lambda _kid: keys
