"""Checks one receipt without a network, by the log's signature.

receipt = open_receipt(Path("receipt.json").read_bytes(), Trust(parse_vkey(VKEY)))
"""

from consent_ledger_client._core.notes.keys import parse_vkey
from consent_ledger_client.client.errors import ReceiptRefused
from consent_ledger_client.client.receipts import Trust, VerifiedReceipt, open_receipt

__all__ = ["ReceiptRefused", "Trust", "VerifiedReceipt", "open_receipt", "parse_vkey"]
