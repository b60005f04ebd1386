"""A participant's folder: who it is, which ledger it speaks with, which log key it believes, and its own keys.

participant.toml    participant, url, log_key, statement_kid, client_kid; witnesses and quorum, if any
statement.pem       signs statements (mode 0600); statement.jwk is its public half, for the operator
client.pem          gets access tokens for reads (mode 0600); client.jwk likewise
references.key      a holder's: 32 bytes that its references for customers and accounts come from (mode 0600)
newest.checkpoint   the newest checkpoint seen: each later one must continue it
receipts/           what the ledger answered, one file for each entry
contradictions/     checkpoints that do not fit together: evidence against the log
"""

from __future__ import annotations

import asyncio
import json
import os
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from msgspec import Struct, ValidationError, convert, to_builtins
from msgspec.structs import asdict

from api.cli.saying import DEFECT, fail, files_told_in_a_sentence
from ledger.errors import InvalidInput
from ledger.secrets import read_secret

if TYPE_CHECKING:  # the client is loaded when something is asked, not to make a key
    from collections.abc import Iterator

    from api.client import LedgerClient, Pseudonyms, Trust, VerifiedReceipt

ENVIRONMENT: Final = "CONSENT_LEDGER_PARTICIPANT_DIR"

T = TypeVar("T")
As = Annotated[
    Path,
    typer.Option("--as", envvar=ENVIRONMENT, help="The participant's folder, as «keys new» makes it."),
]


@dataclass(frozen=True, slots=True)
class ParticipantFolder:
    """The contents of a participant's `participant.toml`."""

    path: Path
    participant: str
    url: str = ""
    log_key: str = ""
    statement_kid: str = ""
    client_kid: str = ""

    witnesses: tuple[str, ...] = ()
    quorum: int = 0

    @classmethod
    def read(cls, path: Path) -> ParticipantFolder:
        """Raises InvalidInput for a folder that is none, and for members that are not known."""
        file = path / "participant.toml"
        try:
            return convert(tomllib.loads(file.read_text("utf-8")), _Said).folder(path)
        except FileNotFoundError:
            raise InvalidInput(
                f"{path} is not a participant's folder: it has no participant.toml. «consent-ledger keys new» makes one"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
            raise InvalidInput(f"{file} does not read: {error}") from None

    def write(self) -> None:
        """Write participant.toml anew. Raises OSError."""
        lines = ["# Who signs, and which log is believed. The keys lie beside this file."]
        members = ("participant", "url", "log_key", "statement_kid", "client_kid")
        lines += [f"{name} = {json.dumps(getattr(self, name))}" for name in members]
        (self.path / "participant.toml").write_text("\n".join(lines) + "\n", "utf-8")

    def believe(self, trust: Trust) -> None:
        """Put these keys in the place of `log_key`; all else in participant.toml stays. Raises InvalidInput, OSError."""
        file = self.path / "participant.toml"
        keys = " ".join(vkey.format() for vkey in trust.vkeys)
        lines = file.read_text("utf-8").split("\n")
        places = [at for at, line in enumerate(lines) if line.partition("=")[0].strip() == "log_key"]
        if len(places) != 1:
            raise InvalidInput(f"{file}: put log_key = {json.dumps(keys)} there by hand; the log has a new key")
        partial = file.with_name(file.name + ".new")
        lines[places[0]] = f"log_key = {json.dumps(keys)}"
        partial.write_text("\n".join(lines), "utf-8")
        partial.replace(file)

    def trust(self) -> Trust:
        """Which log, and which witnesses, this participant believes. Raises InvalidInput, BadEncoding."""
        return trust_of(self.log_key, self.witnesses, self.quorum)

    def pseudonyms(self) -> Pseudonyms:
        """A holder's references. Raises NotFound, InvalidInput."""
        from api.client import Pseudonyms  # noqa: PLC0415  (see above)

        return Pseudonyms(read_secret(self.path / "references.key"))

    @contextmanager
    def client(self) -> Iterator[LedgerClient]:
        """A client with the keys of this folder, for one event loop. Raises NotFound, InvalidInput."""
        from api.client import InFile, LedgerClient, LocalSigner, load_signer  # noqa: PLC0415  (see above)

        if not self.url:
            raise InvalidInput(f"{self.path / 'participant.toml'} does not say url: the ledger's base address")
        yield LedgerClient(
            self.url,
            self.participant,
            load_signer(self.statement_kid, self.path / "statement.pem"),
            self.trust(),
            client_key=LocalSigner.load(self.client_kid, self.path / "client.pem"),
            memory=InFile(self.path / "newest.checkpoint"),
            evidence=self.path / "contradictions",
        )

    def keep(self, receipt: VerifiedReceipt) -> Path:
        """Keep a receipt, under the index of its entry."""
        folder = self.path / "receipts"
        folder.mkdir(exist_ok=True, mode=0o700)
        file = folder / f"{receipt.index}.receipt"
        partial = file.with_suffix(".new")
        partial.touch(0o600)
        partial.write_bytes(receipt.file)
        partial.replace(file)
        return file


class _Said(Struct, frozen=True, forbid_unknown_fields=True):
    """participant.toml."""

    participant: str
    url: str = ""
    log_key: str = ""
    witnesses: tuple[str, ...] = ()
    quorum: int = 0
    statement_kid: str = ""
    client_kid: str = ""

    def folder(self, path: Path) -> ParticipantFolder:
        return ParticipantFolder(path, **asdict(self))


def trust_of(log_key: str, witnesses: Sequence[str] = (), quorum: int = 0) -> Trust:
    """Whom to trust, from verifier keys. Raises InvalidInput, BadEncoding."""
    from api.client import Trust  # noqa: PLC0415  (see above)
    from ledger.notes.keys import VerifierKey, parse_any_vkey, parse_vkey  # noqa: PLC0415

    if not log_key.split():
        raise InvalidInput(
            "which log is believed is not said: name its verifier key, which its operator publishes (log_key in "
            "participant.toml, or --log-key)"
        )
    known = tuple(key for key in map(parse_any_vkey, witnesses) if isinstance(key, VerifierKey))
    if not 0 <= quorum <= len(known):
        raise InvalidInput(f"quorum is {quorum}, and {len(known)} of the witnesses have keys that count")
    own, *further = map(parse_vkey, log_key.split())  # several, where the log changes its key
    if any(key.name != own.name for key in further):
        raise InvalidInput("log_key names keys of several logs: a participant's folder is for one")
    return Trust(own, known, quorum, tuple(further))


def speak(folder: Path, ask: Callable[[LedgerClient, ParticipantFolder], Awaitable[T]]) -> T:
    """Do one thing with the ledger, as the participant of this folder; an error becomes a sentence and an exit
    status."""
    from api.client import ClientError, Misbehaviour, ReceiptRefused  # noqa: PLC0415  (see above)

    async def talk(own: ParticipantFolder) -> T:
        with own.client() as client:
            async with client:
                return await ask(client, own)

    with files_told_in_a_sentence():
        try:
            return asyncio.run(talk(ParticipantFolder.read(folder)))
        except (Misbehaviour, ReceiptRefused) as error:
            fail(f"the ledger's answer proves something else than it should: {error.detail}", DEFECT)
        except ClientError as error:
            fail(error.detail)
        except ValueError as error:  # a value that the client would not sign
            fail(str(error))


def private_folder(path: Path) -> None:
    """Make a folder that only its owner may enter. Raises InvalidInput when a participant's folder is there."""
    if (path / "participant.toml").exists():
        raise InvalidInput(f"{path} is a participant's folder already; its keys are never overwritten")
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(path, 0o700)  # noqa: PTH101


def seen(receipt: VerifiedReceipt, file: Path | None = None) -> dict[str, Any]:
    """A verified receipt as an object of stable members (docs/commands.md)."""
    return {
        "act": receipt.act,
        "file": None if file is None else str(file),
        "index": receipt.index,
        "item": to_builtins(receipt.item),
        "level": receipt.level,
        "log": receipt.checkpoint.origin,
        "outcome": to_builtins(receipt.outcome),
        "size": receipt.checkpoint.size,
        "statement": to_builtins(receipt.payload),
        "document": receipt.document,
        "time": receipt.time,
    }
