"""Official files by shape and version: a folder may hold several versions of one standard, older and newer ones."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from api.standards.words import words
from tests.conformance import files

SERVED = {
    name: [version.lstrip("v") for version in words(name).versions]
    for name in ("berlin", "brazil", "cdr", "india", "uk")
}
"""What each adapter says that it serves, the version it prefers first."""
TITLES = {
    "AA-": "Account Aggregator API",
    "FIP-": "Financial Information Provider API",
    "FIU-": "Financial Information User Callback API",
    "account-info": "Account and Transaction API Specification",
    "cds_admin": "CDR Admin API",
    "cds_register": "CDR Register API",
    "consents-": "API Consents - Open Finance Brasil",
    "event-notifications": "Event Notification API Specification - TPP Endpoints",
    "events-": "Events API Specification - ASPSP Endpoints",
    "psd2-api": "NextGenPSD2 XS2A Framework",
}
"""What an official document is called in itself, whatever its file is called: by a part of the patterns that tests ask with."""
_TITLE = re.compile(r"^ {2,4}title: *['\"]?(.+?)['\"]? *$", re.MULTILINE)
_FOLDERS = {"psd2-api": "berlin", "brazil-of": "brazil", "au-cds": "cdr", "india-aa": "india"}


def standard_of(pattern: str) -> str:
    """The adapter that a pattern of official files is about."""
    return next((name for part, name in _FOLDERS.items() if part in pattern), "uk")


@lru_cache
def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.CSafeLoader)
    assert isinstance(document, dict)
    return document


def is_titled(path: Path, title: str) -> bool:
    """Whether an OpenAPI or Swagger file, of whatever name, is the document of this title."""
    found = _TITLE.search(path.read_text(encoding="utf-8-sig"))
    return found is not None and found[1] == title


@lru_cache
def official_file(pattern: str, named: str = "") -> dict[str, Any]:
    """The document of the version that is served; where the folder has none, of the nearest version to it.

    It is found by its title, among all files: `pattern` says which, `named` stands in its text.
    """
    [title] = [title for part, title in TITLES.items() if part in pattern.rpartition("/")[2]]
    found = files(
        "standards/**/*.y*ml", shape=lambda path: is_titled(path, title) and named in path.read_text("utf-8-sig")
    )
    return read(nearest(found, standard_of(pattern)))


def nearest(paths: list[Path], standard: str) -> Path:
    """Of several versions of one file, the one that is served, or the nearest to it."""
    return min(paths, key=lambda path: _distance(str(read(path)["info"]["version"]), SERVED[standard][0]))


def _distance(version: str, served: str) -> tuple[int, ...]:
    """How far a version is from the served one; parts that the served one does not name do not count."""
    found, wanted = (tuple(int(part) for part in re.findall(r"[0-9]+", text)[:3]) for text in (version, served))
    return tuple(abs(one - other) for one, other in zip(found, wanted, strict=False))
