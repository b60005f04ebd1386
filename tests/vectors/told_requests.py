"""Cases: request texts in a bundle, and what the terms that name them must be (requests.md)."""

from __future__ import annotations

from typing import Any, Final

from tests.vectors.cases import case
from tests.vectors.hashing import b64u, encode, gzip_stored, sha
from tests.vectors.log import Files
from tests.vectors.story import SECOND, erased

PLACE: Final = "requests/000.jsonl.gz"
TEXT: Final = (
    b'{"access":{"balances":[]},"combinedServiceIndicator":false,"frequencyPerDay":4,'
    b'"recurringIndicator":true,"validUntil":"2026-12-24"}'
)
ASKED: Final[dict[str, Any]] = {
    "details_hash": b64u(sha(TEXT)),
    "expires_at": 1_798_156_800,
    "frequency_per_day": 4,
    "history_from": 0,
    "permissions": ["ReadAccountsDetail", "ReadBalances"],
    "standard": "berlin-group",
    "standard_version": "1.3",
}
"""What the mapping gives of the text, and the text's hash."""


def _bundle(log: Any, index: int, text: bytes, **more: object) -> Files:
    files: Files = log.files("full", erased(log))
    files[PLACE] = gzip_stored(encode({"index": index, "request": b64u(text), **more}) + b"\n")
    return files


@case("8.17", exit=0)
def a_request_that_its_terms_translate(log: Any) -> Files:
    """Nothing to tell."""
    return _bundle(log, log.request(SECOND, **ASKED), TEXT)


@case("8.17", exit=0, findings=(("DISPUTED", 13),))
def terms_that_the_request_did_not_ask_for(log: Any) -> Files:
    """Each member that the mapping gives: five reads a day are not four."""
    return _bundle(log, log.request(SECOND, **ASKED | {"frequency_per_day": 5}), TEXT)


@case("8.17", exit=0, unchecked=True)
def a_request_whose_text_is_not_there(log: Any) -> None:
    """Counted as not translated."""
    log.request(SECOND, **ASKED)


@case("7.17", told=(("BAD_COMMITMENT", 13),))
def a_request_text_of_another_hash(log: Any) -> Files:
    """The terms name its hash."""
    return _bundle(log, log.request(SECOND, **ASKED), TEXT + b" ")


@case("7.17", told=(("BAD_ENCODING", PLACE),))
def a_request_line_with_another_member(log: Any) -> Files:
    """It has two."""
    return _bundle(log, log.request(SECOND, **ASKED), TEXT, zz=1)


@case("7.17", told=(("BAD_ENCODING", 12),))
def a_request_text_of_an_entry_that_names_none(log: Any) -> Files:
    """Only terms with a hash have one."""
    return _bundle(log, log.request(SECOND, **ASKED) - 1, TEXT)
