"""The log's own keys, folded from the operator documents that speak of them (docs/spec/log.md, «The log's keys»)."""

from __future__ import annotations

from dataclasses import dataclass, field

from verifier.bytes.encoding import Object, get_bytes, get_integer, get_text
from verifier.crypto.keys import ed25519_key
from verifier.errors import Code, Refuted, refuted
from verifier.records.terms import CODE

MEMBERS: dict[str, frozenset[str]] = {
    "log.key_added": frozenset({"key", "previous"}),
    "log.key_retired": frozenset({"key", "signature"}),
    "log.key_compromised": frozenset({"key", "from_size", "reason"}),
}
"""Documents of version 2."""


@dataclass(slots=True)
class Span:
    """The sizes of checkpoints that a key may sign, `first` to `last` (None: still in force), both included, and the size
    from which on somebody else may have signed with it."""

    first: int
    last: int | None = None
    compromised: int | None = None


@dataclass(frozen=True, slots=True)
class Handover:
    """A document at `index` in which `key` vouches for the tree of all entries below it."""

    index: int
    key: bytes
    signature: bytes


@dataclass(slots=True)
class LogKeys:
    """What the documents said so far; all keys are raw. `added`: (index, key, the one beside which it was put)."""

    spans: dict[bytes, Span] = field(default_factory=dict)
    added: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    handovers: list[Handover] = field(default_factory=list)

    def in_force(self, size: int | None = None) -> list[bytes]:
        """The keys that may sign a checkpoint of `size`; None: of any size from here on."""
        if size is None:
            return [key for key, span in self.spans.items() if span.last is None]
        return [
            key for key, span in self.spans.items() if span.first <= size and (span.last is None or size <= span.last)
        ]

    def fold(self, document: Object, index: int) -> None:
        """Apply one document. Raises Refuted (BAD_ENCODING, BAD_SIGNATURE, CONSENT_INVALID): then it says nothing."""
        match document["type"]:
            case "log.key_added":
                self._add(document, index)
            case "log.key_retired":
                self._retire(document, index)
            case _:
                self._compromise(document, index)

    def _add(self, document: Object, index: int) -> None:
        key, previous = ed25519_key(get_bytes(document, "key", 32)).raw, get_bytes(document, "previous", 32)
        if not self.spans:
            ed25519_key(previous)
        if key == previous or key in self.spans:
            raise _illegal("a key is added to a log once", "a new key", key)
        if self.spans and self.in_force() != [previous]:
            raise _illegal("a log key takes its place beside the only one in force", _names(self.in_force()), previous)
        self.spans.setdefault(previous, Span(0))
        self.spans[key] = Span(index + 1)
        self.added.append((index, key, previous))

    def _retire(self, document: Object, index: int) -> None:
        key, signature = get_bytes(document, "key", 32), get_bytes(document, "signature", 64)
        self._end(key, index)
        self.handovers.append(Handover(index, key, signature))

    def _compromise(self, document: Object, index: int) -> None:
        key, first = get_bytes(document, "key", 32), get_integer(document, "from_size")
        get_text(document, "reason", 64, CODE)
        span = self.spans.get(key)
        if span is None or first > index or (span.compromised is not None and first >= span.compromised):
            raise _illegal(
                "a key of this log is compromised from a size on, or from an earlier one", f"at most {index}", first
            )
        if span.last is None:
            self._end(key, index)
        span.compromised = first

    def _end(self, key: bytes, index: int) -> None:
        present = self.in_force()
        if key not in present or len(present) < 2:
            raise _illegal("a log key ends while another is in force", _names(present), key)
        self.spans[key].last = index


def _names(keys: list[bytes]) -> str:
    return ", ".join(key.hex() for key in keys) or "no key that a document names"


def _illegal(sentence: str, expected: str, found: bytes | int) -> Refuted:
    shown = found.hex() if isinstance(found, bytes) else found
    return refuted(Code.CONSENT_INVALID, sentence, field="document", expected=expected, found=shown)
