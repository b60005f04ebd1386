"""The gateway: the participant that signs for recipients and holders who told the log that it may.

It can say only what the log's rules let its principal say, only acts that the principal's delegation names, and each of
its statements shows both ids for ever (docs/standards/gateway.md).
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from api.client.signing import LocalSigner, load_signer
from api.client.statements import Question, StatementMaker
from api.office.configuration import (
    GatewayFile,
    HolderOptions,
    RecipientOptions,
    read_gateway_file,
    write_gateway_file,
)
from ledger.app import Ledger
from ledger.clock import Clock, SystemClock
from ledger.documents import DelegationGranted, document_of, key_added, registration
from ledger.errors import Conflict, InvalidInput, NotFound
from ledger.secrets import read_secret, write_secret

ROLE = "technology-provider"
SM4_BYTES = 16


class Gateway:
    """A participant whose key lies with this node."""

    def __init__(self, file: GatewayFile, folder: Path, origin: str, clock: Clock | None = None) -> None:
        """Raises NotFound or InvalidInput for missing or unfit key files."""
        self.participant = file.participant
        self.messages = LocalSigner.load(file.message_kid, folder / file.message_key_file)
        """Signs messages, where a standard wants that."""
        self._holders = file.holders
        self._recipients = file.recipients
        self._sm4_keys = {
            name: _sm4_key(folder / one.sm4_key_file) for name, one in file.recipients.items() if one.sm4_key_file
        }
        signer = load_signer(file.kid, folder / file.key_file)
        self._maker = StatementMaker(file.participant, origin, signer, clock or SystemClock())

    @classmethod
    def load(cls, path: Path, origin: str) -> Gateway | None:
        """The gateway that a file describes; None when there is no file. Raises NotFound, InvalidInput."""
        return cls(read_gateway_file(path), path.parent, origin) if path.exists() else None

    def options(self, holder: str) -> HolderOptions:
        """A holder's decisions."""
        return self._holders.get(holder) or HolderOptions()

    def redirect_uris(self, recipient: str) -> tuple[str, ...]:
        """The addresses to which a recipient's customers may be sent back."""
        known = self._recipients.get(recipient)
        return () if known is None else known.redirect_uris

    def is_decoupled(self, recipient: str) -> bool:
        """Whether a recipient may use the backchannel."""
        known = self._recipients.get(recipient)
        return known is not None and known.backchannel

    def asks_again(self, recipient: str) -> bool:
        """Whether a recipient lets its customers share again what they have stopped."""
        known = self._recipients.get(recipient)
        return known is not None and known.asks_again

    def sm4_key(self, recipient: str) -> bytes | None:
        """The 16 bytes under which bodies to and from a recipient are encrypted; None where none was agreed."""
        return self._sm4_keys.get(recipient)

    def make(self, act: str, principal: str, **members: object) -> Question:
        """Sign a statement for `principal`. Raises BadStatement for members that the ledger would refuse."""
        return self._maker.make(act, on_behalf_of=principal, **members)


def make_gateway(ledger: Ledger, path: Path, participant: str, name: str) -> GatewayFile:
    """Make a gateway's keys beside `path`, register it with them, and write `path`. The ledger runs.

    Raises Conflict when there is a gateway already, or a participant of this name.
    """
    if path.exists():
        raise Conflict(f"{path} exists already: this node has a gateway")
    file = GatewayFile(
        participant=participant,
        kid=f"{participant}-1",
        key_file="gateway.key.pem",
        message_kid=f"{participant}-messages-1",
        message_key_file="gateway-messages.key.pem",
    )
    statements, messages = LocalSigner.generate(file.kid), LocalSigner.generate(file.message_kid, "PS256")
    statements.save(path.parent / file.key_file)
    messages.save(path.parent / file.message_key_file)
    ledger.record_documents(
        registration(participant, name, [ROLE]),
        key_added(participant, statements.kid, statements.alg, "statement", statements.jwk),
        key_added(participant, messages.kid, messages.alg, "client", messages.jwk),
    )
    write_gateway_file(path, file)
    return file


def register_redirect(path: Path, recipient: str, address: str) -> None:
    """Add a redirect address of a recipient to `path`. Raises NotFound without a gateway, InvalidInput, Conflict."""
    if not path.exists():
        raise NotFound("there is no gateway; «consent-ledger gateway init» makes it")
    file = read_gateway_file(path)
    known = file.recipients.get(recipient, RecipientOptions())
    if address in known.redirect_uris:
        raise Conflict(f"{address} is registered for {recipient} already")
    _write_recipient(
        path, file, recipient, msgspec.structs.replace(known, redirect_uris=(*known.redirect_uris, address))
    )


def make_sm4_key(path: Path, recipient: str) -> Path:
    """Make a key that bank and recipient share, beside `path`, and name it there; its file, to be handed over on another way.

    Raises NotFound without a gateway, Conflict when there is a key: delete its file and its line to make another.
    """
    if not path.exists():
        raise NotFound("there is no gateway; «consent-ledger gateway init» makes it")
    file = read_gateway_file(path)
    known = file.recipients.get(recipient, RecipientOptions())
    if known.sm4_key_file:
        raise Conflict(f"{recipient} has an SM4 key already: {known.sm4_key_file}")
    name = f"sm4-{recipient}.key"
    write_secret(path.parent / name, os.urandom(SM4_BYTES).hex().encode() + b"\n")
    _write_recipient(path, file, recipient, msgspec.structs.replace(known, sm4_key_file=name))
    return path.parent / name


def _write_recipient(path: Path, file: GatewayFile, recipient: str, options: RecipientOptions) -> None:
    write_gateway_file(path, msgspec.structs.replace(file, recipients={**file.recipients, recipient: options}))


def _sm4_key(path: Path) -> bytes:
    try:
        key = bytes.fromhex(read_secret(path).decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != SM4_BYTES:
        raise InvalidInput(f"{path} is not an SM4 key: 32 hexadecimal digits")
    return key


def delegate(ledger: Ledger, principal: str, gateway: str, acts: tuple[str, ...]) -> int:
    """Record that `principal` lets the gateway say these acts; the index. The operator has seen the principal's own word.

    Raises InvalidInput, NotFound, IllegalTransition.
    """
    [recorded] = ledger.record_documents(
        document_of(DelegationGranted, participant=principal, delegate=gateway, acts=tuple(sorted(acts)))
    )
    return recorded.index


RECIPIENT_ACTS = ("consent.amend", "consent.reject", "consent.request", "consent.revoke", "consent.terminate")
"""The acts that the standards here need of a recipient."""
HOLDER_ACTS = ("consent.supersede",)
"""The acts that the standards here need of a holder."""
