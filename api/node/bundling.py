"""The bundles that a node hands out: with its policy, and as of a checkpoint that meets it (docs/witnesses.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from api.node.models import ModelFolder
from ledger.app import Ledger
from ledger.bundle import Disclose, ZipTarget, export_bundle
from ledger.errors import BadEncoding, InvalidInput, NotFound
from ledger.notes.keys import VerifierKey
from ledger.notes.policy import Policy, parse_policy
from ledger.queries.remit import Remit
from ledger.queries.sheets import covered_sheets
from ledger.queries.witnessed import WitnessedQueries

if TYPE_CHECKING:
    from api.node.settings import Settings


@dataclass(frozen=True)
class Bundler:
    """Writes bundles of one log."""

    ledger: Ledger
    witnessed: WitnessedQueries
    policy_file: Path | None
    models: ModelFolder

    def head(self, above: int = -1) -> tuple[int, str] | None:
        """(size, note) of the newest witnessed checkpoint that covers entry `above`; None where none does (yet), and then a
        bundle is as of the newest checkpoint: what was asked for comes before the witnesses."""
        try:
            return self.witnessed.checkpoint(max(0, above))
        except NotFound:
            return None

    def size(self) -> int:
        """How many entries a bundle of the whole log has now."""
        head = self.head()
        return self.ledger.tree.size() if head is None else head[0]

    def disclosed_to(self, remit: Remit, first: int, last: int) -> Disclose:
        """The evidence of the entries `first` … `last` that a regulator with this remit may open. Raises Unavailable."""
        if not remit.is_limited:
            return Disclose.between(first, last)
        with self.ledger.store.read() as connection:
            mine = remit.chains(connection, first, last)
            sheets = covered_sheets(connection, self.ledger.keystore, remit, first, last).indexes
        return Disclose(
            "partial",
            lambda index, chain: first <= index <= last and (chain in mine or index in sheets),
            first,
            last,
        )

    def write(self, stream: BinaryIO, disclose: Disclose, *, above: int = -1) -> None:
        """Write a zip. `above`: an entry that must be in it."""
        policy = None if self.policy_file is None else self.policy_file.read_bytes()
        head = self.head(above)
        ledger = self.ledger
        export_bundle(
            ledger.store,
            ledger.keystore,
            ledger.vkeys,
            ZipTarget(stream),
            disclose=disclose,
            policy=policy,
            head=head,
            models=self.models.read,
        )


def read_policy(settings: Settings, vkeys: Sequence[VerifierKey]) -> Policy:
    """The policy of this log, which bundles enclose. Raises InvalidInput for one that does not read, or is of another log."""
    if settings.policy_file is None:
        return Policy(logs=tuple(vkeys))
    try:
        policy = parse_policy(settings.policy_file.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"the policy file {settings.policy_file} does not exist") from None
    except BadEncoding as error:
        raise InvalidInput(f"the policy file {settings.policy_file} does not read: {error}") from None
    if not any(vkey in policy.logs for vkey in vkeys):
        raise InvalidInput(f"the policy file {settings.policy_file} does not name this log's key, {vkeys[0].format()}")
    for witness in policy.witnesses:
        check_witness_url(witness.url)
    return policy


def check_witness_url(url: str) -> None:
    """Raises InvalidInput unless `url` is empty, https, or plain http on this machine."""
    from api.node.settings import is_loopback  # noqa: PLC0415 - the settings' module loads the pages, which load this one

    parts = urlsplit(url)
    if url and not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))):
        raise InvalidInput(f"a witness is asked over https; plain http is for loopback only: {url}")
