"""A node that only reads (docs/scaling.md, «Readers»)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import migrations
from api.node.building import equip
from api.node.node import Node
from api.node.settings import Settings
from ledger.assembly import open_reader
from ledger.errors import InvalidInput, LedgerError
from ledger.notes.keys import parse_vkey


def build_reader(settings: Settings) -> Node:
    """A reader that is ready to start: from a standby if need be, without the log's signing key.

    Raises NotFound or InvalidInput for missing or unfit files, Corrupt, Unavailable.
    """
    migrations.refuse_other_versions(settings.database_url)
    try:
        vkey = parse_vkey(settings.vkey)
    except LedgerError as error:
        raise InvalidInput(f"CONSENT_LEDGER_VKEY is not the log's verifier key: {error.detail}") from None
    ledger = open_reader(settings.node_config(settings.highwater_dir / "reader"), vkey)
    try:
        return equip(settings, ledger)
    except BaseException:
        ledger.store.close()
        ledger.keystore.close()
        raise


@contextmanager
def reading(settings: Settings) -> Iterator[Node]:
    """A running reader, for a look."""
    node = build_reader(settings)
    try:
        node.start()
        yield node
    finally:
        node.stop()
