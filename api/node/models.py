"""The models of a node: their bytes in one folder, each under its hash (docs/risk.md, «A model»).

DIR/<hash>.json         the model, as `model.activated` names it by `hash`
DIR/<hash>.card.json    how it was made, whose own hash is `card_hash`
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from ledger.canonical import b64u, decode, encode
from ledger.errors import BadEncoding, InvalidInput, LedgerError, NotFound, Unavailable
from ledger.scoring.model import MODEL_LIMIT, Model

CARD_LIMIT: Final = 64 << 10
"""Bytes."""
FEATURES: Final = (
    "refused",
    "unattended",
    "consents",
    "permissions",
    "night",
    "accounts_named",
    "permissions_in_sum",
    "minutes",
)
"""What the places of a vector are (docs/spec/risk.md)."""

E = TypeVar("E", bound=LedgerError)


class ModelCard(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a model was made, for whoever approves it: no word in it is about a person."""

    accesses: Annotated[int, Meta(ge=0)]
    """In the window."""
    above: Annotated[int, Meta(ge=0)]
    """Held-out vectors whose score reaches the threshold: what it would have raised on ordinary days."""
    features: tuple[str, ...]
    from_index: Annotated[int, Meta(ge=0)]
    hash: str
    """Of the model's bytes."""
    held_out: Annotated[int, Meta(ge=0)]
    kind: Literal["isolation-forest"]
    learned: Annotated[int, Meta(ge=0)]
    origin: str
    """The log that it learned from."""
    sample: int
    seed: int
    threshold: int
    to_index: Annotated[int, Meta(ge=0)]
    trees: int
    unreadable: int
    """Entries of the window that were erased before."""
    v: Literal[1] = 1

    def encoded(self) -> bytes:
        """CL-JSON: `card_hash` is the SHA-256 of it."""
        return encode(msgspec.to_builtins(self))


class StoredModel(Struct, frozen=True):
    """A model with its card, both read and held against each other."""

    model: Model
    data: bytes
    card: ModelCard
    card_hash: str


class ModelFolder:
    """Reads and keeps models. The folder is made with the first of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, hashed: str) -> bytes | None:
        """The bytes with this hash; None if they are not here. Raises Unavailable for a file that holds something else."""
        file = self.folder / f"{hashed}.json"
        try:
            data = _read(file, MODEL_LIMIT, Unavailable)
        except NotFound:
            return None
        if _hash(data) != hashed:
            raise Unavailable(f"{file} was changed: it has another hash than its name. Bring the model's file back")
        return data

    def keep(self, data: bytes, card: bytes) -> Path:
        """Write a model with its card, unless they are there; the model's file."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self.folder / f"{_hash(data)}.json"
        _write(_card_of(file), card)
        _write(file, data)
        return file


def read_model(file: Path) -> StoredModel:
    """A model's file, with its card beside it. Raises NotFound, InvalidInput, naming the file and what is wrong with it."""
    data = _read(file, MODEL_LIMIT, InvalidInput)
    try:
        model = Model(data)
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error.detail}") from None
    beside = _card_of(file)
    said = _read(beside, CARD_LIMIT, InvalidInput)
    try:
        card = msgspec.convert(decode(said, limit=CARD_LIMIT), ModelCard)
    except BadEncoding as error:
        raise InvalidInput(f"{beside}: a card is CL-JSON: {error.detail}") from None
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{beside} is not a model's card: {error}") from None
    if (card.hash, card.threshold, card.trees) != (model.hash, model.threshold, model.trees):
        raise InvalidInput(f"{beside} is the card of another model than {file}")
    return StoredModel(model, data, card, _hash(said))


def _hash(data: bytes) -> str:
    return b64u(hashlib.sha256(data).digest())


def _card_of(file: Path) -> Path:
    return file.with_name(f"{file.stem}.card.json")


def _read(file: Path, limit: int, wrong: type[E]) -> bytes:
    """At most so many bytes, and of a regular file only: a model may come from anybody."""
    try:
        opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe in its place does not hold us up
    except FileNotFoundError:
        raise NotFound(f"there is no {file}") from None
    except OSError as error:
        raise wrong(f"{file} cannot be read: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise wrong(f"{file} is not a file, and nothing is read from it")
        with os.fdopen(opened, "rb", closefd=False) as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise wrong(f"{file} cannot be read: {error.strerror}") from None
    finally:
        os.close(opened)
    if len(data) > limit:
        raise wrong(f"{file} has more than {limit} bytes, and no more are read of such a file")
    return data


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all; what has this hash in its name is not written twice."""
    if file.exists() and file.read_bytes() == content:
        return
    new = file.with_name(f".{file.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
