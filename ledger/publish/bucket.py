"""Publishing to an object store such as S3, by obstore (extra `s3`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import ObjectStore, from_url

from ledger.errors import BodiesAway, Conflict, Corrupt, InvalidInput, Unavailable
from ledger.publish.place import CHECKPOINT, KEYS, NEWEST

if TYPE_CHECKING:  # a name for type checkers only
    from obstore.store import ClientConfig, RetryConfig

PATIENCE: Final[RetryConfig] = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}
"""Of one request; whoever publishes may try again as a whole."""
HASTE: Final[RetryConfig] = {"max_retries": 1, "retry_timeout": timedelta(seconds=5)}
HASTY: Final[ClientConfig] = {"connect_timeout": timedelta(seconds=2), "timeout": timedelta(seconds=5)}
"""Of a question that somebody waits for: she is told within ten seconds that there is no answer."""
FOR_EVER: Final = {"Content-Type": "application/octet-stream", "Cache-Control": "max-age=31536000, immutable"}
TEXT: Final = "text/plain; charset=utf-8"
KINDS: Final = {CHECKPOINT: TEXT, NEWEST: TEXT, KEYS: "application/json"}
"""Of what is replaced: readers keep it for a second, as they do of a node."""


class PublicBucket:
    """A bucket, or a part of one. It must have create-only puts and compare-and-swap by ETag."""

    def __init__(self, store: ObjectStore) -> None:
        """`store` is one of obstore's."""
        self._store = store
        self._tags: dict[str, str | None] = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Others may run: the swap of what is replaced decides between them."""
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise InvalidInput(
                "the object store refuses these credentials: they come from the environment (AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL), and must be allowed to get, put, list and delete"
            ) from error
        except (BaseError, OSError) as error:
            raise Unavailable(f"publishing to the object store failed: {type(error).__name__}") from error

    def read(self, name: str) -> bytes | None:
        try:
            found = obstore.get(self._store, name)
        except FileNotFoundError:
            self._tags[name] = None
            return None
        self._tags[name] = found.meta["e_tag"]
        return bytes(found.bytes())

    def fetch(self, path: str) -> bytes | None:
        """A file; None where it is not there. Raises BodiesAway when the store does not answer."""
        try:
            return bytes(obstore.get(self._store, path).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise BodiesAway(f"the object store gives no answer: {type(error).__name__}", lost=False) from error

    def create(self, path: str, content: bytes) -> bool:
        try:
            obstore.put(self._store, path, content, mode="create", attributes=FOR_EVER)
        except AlreadyExistsError:
            if bytes(obstore.get(self._store, path).bytes()) != content:
                raise Corrupt(f"{path} is published with other bytes than the log has: one of them is false") from None
            return False
        return True

    def settle(self) -> None:
        """A put that has come back is durable."""

    def replace(self, name: str, content: bytes) -> None:
        tag = self._tags.get(name)
        try:
            obstore.put(
                self._store,
                name,
                content,
                attributes={"Content-Type": KINDS[name], "Cache-Control": "max-age=1"},
                mode="create" if tag is None else {"e_tag": tag},
            )
        except (AlreadyExistsError, PreconditionError):
            raise Conflict(f"another publisher has replaced {name} meanwhile; the next try starts from its") from None

    def partials(self, tile: str | None) -> list[str]:
        prefix = "tile" if tile is None else f"{tile}.p"
        return [found["path"] for part in obstore.list(self._store, prefix) for found in part if ".p/" in found["path"]]

    def remove(self, paths: Sequence[str]) -> None:
        if paths:
            obstore.delete(self._store, list(paths))


def open_bucket(address: str, *, hasty: bool = False) -> PublicBucket:
    """The bucket at an address; credentials come from the environment. `hasty`: somebody waits for each answer. Raises
    InvalidInput."""
    try:
        if hasty:
            return PublicBucket(from_url(address, retry_config=HASTE, client_options=HASTY))
        return PublicBucket(from_url(address, retry_config=PATIENCE))
    except (BaseError, ValueError) as error:
        raise InvalidInput(f"{address} is not an object store that can be published to: {error}") from None
