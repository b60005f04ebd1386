"""The operator's directory of participants: nothing of it can harm who looks at it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from api.web.directory import LOGO_LIMIT, Listing, ParticipantDirectory
from ledger.errors import InvalidInput, LedgerError, NotFound


def read(folder: Path, listed: object) -> ParticipantDirectory:
    (folder / "directory.json").write_text(json.dumps(listed))
    return ParticipantDirectory.read(folder / "directory.json")


def test_without_a_directory_nothing_is_known_and_nothing_breaks(tmp_path: Path) -> None:
    assert ParticipantDirectory.read(None).of("plum") == Listing()
    assert read(tmp_path, {"plum": {}}).logo_url("plum") == ""


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", InvalidInput),
        (b"<html></html>", InvalidInput),
        (b"\x89PNG\r\n\x1a\n" + b"0" * LOGO_LIMIT, InvalidInput),
        (None, NotFound),
    ],
)
def test_only_a_small_raster_picture_starts_as_a_logo(
    tmp_path: Path, content: bytes | None, error: type[LedgerError]
) -> None:
    if content is not None:
        (tmp_path / "logo").write_bytes(content)
    with pytest.raises(error, match="logo"):
        read(tmp_path, {"plum": {"logo": "logo"}})


def test_a_member_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(msgspec.ValidationError, match="colour"):
        read(tmp_path, {"plum": {"colour": "red"}})
