"""QR codes: the bytes of ISO/IEC 18004, and a receipt on paper that carries its own address."""

from __future__ import annotations

from hashlib import sha256

import pytest

from api.web.qr import MOST, Matrix, qr_matrix, qr_path
from ledger.errors import InvalidInput
from tests.web.site import Site

FINDER = ["1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"]


def rows(matrix: Matrix, top: int, left: int, size: int) -> list[str]:
    return ["".join("01"[module] for module in row[left : left + size]) for row in matrix[top : top + size]]


def test_a_known_text_gives_known_modules() -> None:
    """A reader of codes that is not ours (OpenCV) decoded these modules to this very text when they were frozen."""
    modules = bytes(module for row in qr_matrix("https://ledger.example/verify?entry=7") for module in row)
    assert sha256(modules).hexdigest() == "f4696e988529379bd36e77a282e19166ce31922c97f687e4b2b4ff7547a33b9d"


@pytest.mark.parametrize(
    ("length", "size"), [(1, 21), (14, 21), (15, 25), (26, 25), (42, 29), (62, 33), (84, 37), (106, 41)]
)
def test_the_smallest_version_that_holds_it_is_taken(length: int, size: int) -> None:
    matrix = qr_matrix("a" * length)
    assert len(matrix) == size
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        assert rows(matrix, top, left, 7) == FINDER
    assert [matrix[6][place] for place in range(8, size - 8)] == [place % 2 == 0 for place in range(8, size - 8)]


def test_an_address_too_long_for_a_code_is_refused() -> None:
    with pytest.raises(InvalidInput, match="106 bytes"):
        qr_matrix("a" * (MOST + 1))


def test_a_printed_receipt_carries_the_address_at_which_it_is_checked(shared_site: Site) -> None:
    entry = shared_site.read(shared_site.shared())
    path, _ = qr_path(f"{shared_site.url}/verify?entry={entry.index}")
    with shared_site.client() as client:
        page = client.get(f"/my/receipts/{entry.index}").text
    assert f'<path d="{path}"/>' in page
    assert f"<code>{shared_site.url}/verify?entry={entry.index}" in page
