"""The participant's client (docs/client.md)."""

from api.client.client import LedgerClient
from api.client.digest import request_digest
from api.client.directory import Directory, StatementRefused
from api.client.errors import (
    ClientError,
    Equivocation,
    LedgerUnavailable,
    Misbehaviour,
    ReceiptRefused,
    RefusedByLedger,
    RolledBack,
)
from api.client.memory import InFile, InMemory
from api.client.pseudonyms import Pseudonyms
from api.client.receipts import Trust, VerifiedReceipt, check_answer, open_receipt
from api.client.signing import LocalSigner, StatementSigner
from api.client.statements import Question, make_item, make_terms
from api.client.transport import Patience

__all__ = [
    "ClientError",
    "Directory",
    "Equivocation",
    "InFile",
    "InMemory",
    "LedgerClient",
    "LedgerUnavailable",
    "LocalSigner",
    "Misbehaviour",
    "Patience",
    "Pseudonyms",
    "Question",
    "ReceiptRefused",
    "RefusedByLedger",
    "RolledBack",
    "StatementRefused",
    "StatementSigner",
    "Trust",
    "VerifiedReceipt",
    "check_answer",
    "make_item",
    "make_terms",
    "open_receipt",
    "request_digest",
]
