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
from api.client.sets import LedgerSet, NotInSet, SetReceipt
from api.client.signing import AsyncStatementSigner, HeldSigner, LocalSigner, StatementSigner, load_signer
from api.client.statements import Question, make_item, make_terms
from api.client.supervision import KeptText, SupervisionClient
from api.client.transport import THROUGH_A_FAILOVER, Patience
from ledger.entries.acts import AccessItem
from ledger.entries.terms import Terms
from ledger.errors import BadStatement, LedgerError
from ledger.notes.keys import parse_vkey

__all__ = [
    "THROUGH_A_FAILOVER",
    "AccessItem",
    "AsyncStatementSigner",
    "BadStatement",
    "ClientError",
    "Directory",
    "Equivocation",
    "HeldSigner",
    "InFile",
    "InMemory",
    "KeptText",
    "LedgerClient",
    "LedgerError",
    "LedgerSet",
    "LedgerUnavailable",
    "LocalSigner",
    "Misbehaviour",
    "NotInSet",
    "Patience",
    "Pseudonyms",
    "Question",
    "ReceiptRefused",
    "RefusedByLedger",
    "RolledBack",
    "SetReceipt",
    "StatementRefused",
    "StatementSigner",
    "SupervisionClient",
    "Terms",
    "Trust",
    "VerifiedReceipt",
    "check_answer",
    "load_signer",
    "make_item",
    "make_terms",
    "open_receipt",
    "parse_vkey",
    "request_digest",
]
