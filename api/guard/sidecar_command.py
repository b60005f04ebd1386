"""`consent-guard`: the sidecar as a program (docs/sidecar.md).

    consent-guard --config /etc/consent-guard.toml [--check]

Its configuration is one TOML file; an unknown name in it is refused. Secrets are files of mode 0600, never values.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.applications import Starlette

from api.client.client import LedgerClient
from api.client.directory import Directory
from api.client.errors import ClientError
from api.client.memory import InFile, InMemory
from api.client.pseudonyms import Pseudonyms
from api.client.receipts import Trust
from api.client.signing import LocalSigner, load_signer
from api.guard.book import KnownAccounts, LedgerBook
from api.guard.bound import IntrospectedTokens, LedgerTokens, TokenBook
from api.guard.guard import ConsentGuard
from api.guard.relaying import TokenWay
from api.guard.sidecar import GuardedRoute, Sidecar, sidecar_app
from ledger.datamaps import parse_map
from ledger.errors import InvalidInput, LedgerError
from ledger.notes.keys import parse_vkey
from ledger.secrets import read_secret

log = logging.getLogger("consent_ledger.guard")


class KeyFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A private key, PKCS #8 PEM of mode 0600, and the id it is registered under."""

    kid: str
    file: str


class AccountsFile(Struct, frozen=True, forbid_unknown_fields=True):
    """How references become the bank's own account ids. Without it the application is given the references."""

    secret_file: str
    """The 32 bytes that references are keyed with."""
    file: str
    """A JSON list of account ids."""


class RouteEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """See GuardedRoute."""

    method: str
    path: str
    permissions: tuple[str, ...]
    account: str | None = None


class TokensEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """Recipients that sign nothing bring tokens (docs/guard.md). Without an address they are the ledger's own."""

    public_url: str
    """Scheme and authority under which recipients reach the bank."""
    certificate_header: str | None = None
    """Where the proxy tells the certificate of the connection."""
    key_header: str | None = None
    """Where a standard's own clients bring the token, which send no `Authorization`."""
    introspection: str | None = None
    """Address of the bank's own authorisation server (RFC 7662)."""
    client_id: str | None = None
    secret_file: str | None = None
    """A file of mode 0600 with the secret for it."""
    participants: dict[str, str] | None = None
    """Client id at that server → participant id in the ledger, where they differ."""


class SidecarFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration. Paths are relative to the file's folder."""

    ledger: str
    """Address of the ledger."""
    vkey: str
    """The log's key, learnt from elsewhere than the ledger."""
    participant: str
    statement_key: KeyFile
    client_key: KeyFile
    routes: Annotated[tuple[RouteEntry, ...], Meta(min_length=1)]
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 9191
    max_age: Annotated[int, Meta(ge=1, le=600)] = 30
    """Seconds for which a decision that the recipient brings lets data out."""
    timeout: Annotated[int, Meta(ge=1, le=55)] = 10
    """Seconds to wait for the ledger."""
    book_seconds: Annotated[int, Meta(ge=0, le=600)] = 5
    """Seconds for which the accounts of a consent are remembered."""
    memory: str | None = None
    """Where the newest checkpoint is kept between runs."""
    evidence: str | None = None
    """A folder for checkpoints that contradict each other."""
    accounts: AccountsFile | None = None
    tokens: TokensEntry | None = None
    data_map: str | None = None
    """A file with the bank's data map: the application is then told which fields to mask, and which to leave out."""


def read_config(path: Path) -> SidecarFile:
    """The configuration in a file. Raises InvalidInput, which says what is wrong in it."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=SidecarFile)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidInput(f"{path}: {error}") from None


def build(config: SidecarFile, folder: Path) -> Starlette:
    """The application of a configuration. Raises InvalidInput and NotFound for unfit values and files."""
    try:
        routes = [GuardedRoute(one.method, one.path, one.permissions, one.account) for one in config.routes]
        statement = load_signer(config.statement_key.kid, folder / config.statement_key.file)
        reading = LocalSigner.load(config.client_key.kid, folder / config.client_key.file)
        behind = None if config.accounts is None else _known(config.accounts, folder)
    except (ValueError, OSError) as error:
        raise InvalidInput(str(error)) from None
    own, *further = map(parse_vkey, config.vkey.split())  # several, where the log changes its key
    client = LedgerClient(
        config.ledger,
        config.participant,
        statement,
        Trust(own, further=tuple(further)),
        client_key=reading,
        memory=InMemory() if config.memory is None else InFile(folder / config.memory),
        evidence=None if config.evidence is None else folder / config.evidence,
    )
    directory = Directory(client)
    book = LedgerBook(client, behind, fresh=config.book_seconds)
    way = None if config.tokens is None else _way(config.tokens, client, folder)
    try:
        mapped = None if config.data_map is None else parse_map((folder / config.data_map).read_bytes())
        guard = ConsentGuard(
            client, directory, book, max_age=config.max_age, timeout=config.timeout, tokens=way, data_map=mapped
        )
        sidecar = Sidecar(guard, routes)
    except (ValueError, OSError) as error:
        raise InvalidInput(str(error)) from None
    return sidecar_app(sidecar, _kept_fresh(client, directory))


def _way(entry: TokensEntry, client: LedgerClient, folder: Path) -> TokenWay:
    """Raises InvalidInput, NotFound."""
    if entry.introspection is None:
        if entry.client_id or entry.secret_file or entry.participants:
            raise InvalidInput("tokens: client_id, secret_file and participants are for an address in introspection")
        tokens: TokenBook = LedgerTokens(client)
    else:
        if not entry.client_id or not entry.secret_file:
            raise InvalidInput("tokens: an address in introspection needs client_id and secret_file")
        secret = read_secret(folder / entry.secret_file).decode("utf-8").strip()
        tokens = IntrospectedTokens(entry.introspection, entry.client_id, secret, participants=entry.participants)
    return TokenWay(tokens, entry.public_url, certificate=entry.certificate_header, key_header=entry.key_header)


def _known(accounts: AccountsFile, folder: Path) -> KnownAccounts:
    listed = msgspec.json.decode((folder / accounts.file).read_bytes(), type=list[str])
    return KnownAccounts(Pseudonyms.load(folder / accounts.secret_file), listed)


@asynccontextmanager
async def _kept_fresh(client: LedgerClient, directory: Directory) -> AsyncIterator[None]:
    try:
        await directory.refresh()
    except ClientError as error:  # the door stays shut until the ledger answers
        log.warning("the ledger cannot be asked yet: %s", error.detail)
    fresh = asyncio.create_task(directory.keep_fresh())
    yield
    fresh.cancel()
    with suppress(asyncio.CancelledError):
        await fresh
    await client.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sidecar until told to stop. Exit statuses: 0 stopped, 1 refused, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="consent-guard", description="Answers a proxy's question: may this request have data?"
    )
    parser.add_argument("--config", type=Path, required=True, help="the TOML file (docs/sidecar.md)")
    parser.add_argument(
        "--check", action="store_true", help="read configuration and keys, say whether they are fit, and end"
    )
    asked = parser.parse_args(arguments)
    try:
        config = read_config(asked.config)
        app = build(config, asked.config.parent)
    except LedgerError as error:
        print(f"consent-guard: {error.detail}", file=sys.stderr)
        sys.exit(1)
    if asked.check:
        print(f"{asked.config}: {len(config.routes)} guarded routes for {config.participant}")
        return
    _run(app, config)


def _run(app: Starlette, config: SidecarFile) -> None:
    try:
        import uvicorn  # noqa: PLC0415 - a client that serves nothing needs no server
    except ImportError:
        print("consent-guard: needs uvicorn to serve: install it beside this package", file=sys.stderr)
        sys.exit(1)
    options: dict[str, Any] = {
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "log_level": "warning",
    }
    uvicorn.run(app, host=config.host, port=config.port, timeout_graceful_shutdown=10, **options)


if __name__ == "__main__":
    main()
