"""A receipt of exactly as many bytes as the specification allows is one to every reader, and one byte more is none.

The browser's script: test_script.py. The SDKs: their own tests of receipts.json.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from api.client.errors import ReceiptRefused
from api.client.receipts import Trust, open_receipt
from ledger.errors import BadEncoding
from ledger.notes.keys import parse_vkey
from ledger.receipts import check_receipt
from tests.conformance import ROOT
from tests.vectors.reading import policy, read
from tests.verifier.making import BACKEND, refusal
from verifier.audit.receipt import check_receipt as verify_receipt
from verifier.errors import Code
from verifier.tlog.trust import parse_trust

[SAID] = re.findall(
    r"at most\s+([\d,]+) bytes", (ROOT / "docs/spec/receipts.md").read_text().split("## Checking one")[0]
)
LIMIT = int(SAID.replace(",", ""))
CASE: dict[str, Any] = next(row for row in read("receipts")["cases"] if row["exit"] in (0, 3))

KEY = parse_vkey(re.findall(r"^log (\S+)", policy(CASE["policy"]).decode(), re.MULTILINE)[0])


def padded(size: int) -> bytes:
    data = str(CASE["receipt"]).encode()
    return data + b" " * (size - len(data))


def test_the_ledger() -> None:
    assert check_receipt(padded(LIMIT), KEY) == check_receipt(CASE["receipt"].encode(), KEY)
    with pytest.raises(BadEncoding, match=f"at most {LIMIT} bytes"):
        check_receipt(padded(LIMIT + 1), KEY)


def test_a_participants_client() -> None:
    trust = Trust(KEY)
    assert open_receipt(padded(LIMIT), trust).leaf == open_receipt(CASE["receipt"].encode(), trust).leaf
    with pytest.raises(ReceiptRefused):
        open_receipt(padded(LIMIT + 1), trust)


def test_the_verifier() -> None:
    trust = parse_trust(policy(CASE["policy"]))
    checked = verify_receipt(padded(LIMIT), trust, BACKEND, None)
    assert checked.findings.count == 0
    with refusal(Code.BAD_ENCODING):
        verify_receipt(padded(LIMIT + 1), trust, BACKEND, None)
