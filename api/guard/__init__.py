"""The guard of a bank's own application (docs/guard.md)."""

from api.guard.access import GuardedAccess
from api.guard.book import AccountsBehind, AgreedConsent, KnownAccounts, LedgerBook
from api.guard.guard import STATEMENT_HEADER, ConsentBook, ConsentGuard, receipt_header
from api.guard.masks import MASKS, mask_account, mask_pan
from api.guard.recording import RECEIPT_HEADER
from api.guard.refusals import REFUSALS, RefusedAccess
from api.guard.replay import AlreadyUsed, NoRoom, UsedDecisions, UsedInMemory

__all__ = [
    "MASKS",
    "RECEIPT_HEADER",
    "REFUSALS",
    "STATEMENT_HEADER",
    "AccountsBehind",
    "AgreedConsent",
    "AlreadyUsed",
    "ConsentBook",
    "ConsentGuard",
    "GuardedAccess",
    "KnownAccounts",
    "LedgerBook",
    "NoRoom",
    "RefusedAccess",
    "UsedDecisions",
    "UsedInMemory",
    "mask_account",
    "mask_pan",
    "receipt_header",
]
