"""The guard of a bank's own application (docs/guard.md)."""

from api.guard.access import GuardedAccess
from api.guard.book import AccountsBehind, AgreedConsent, KnownAccounts, LedgerBook
from api.guard.bound import BoundToken, IntrospectedTokens, LedgerTokens, TokenBook
from api.guard.certified import CertifiedRecipients
from api.guard.describing import RECEIPT_HEADER, STATEMENT_HEADER
from api.guard.guard import ConsentBook, ConsentGuard, receipt_header
from api.guard.masks import MASKS, mask_account, mask_pan
from api.guard.refusals import REFUSALS, RefusedAccess
from api.guard.relaying import TokenWay
from api.guard.replay import AlreadyUsed, MemoryUnavailable, NoRoom, UsedDecisions, UsedInMemory
from ledger.datamaps import DataMap, parse_map

__all__ = [
    "MASKS",
    "RECEIPT_HEADER",
    "REFUSALS",
    "STATEMENT_HEADER",
    "AccountsBehind",
    "AgreedConsent",
    "AlreadyUsed",
    "BoundToken",
    "CertifiedRecipients",
    "ConsentBook",
    "ConsentGuard",
    "DataMap",
    "GuardedAccess",
    "IntrospectedTokens",
    "KnownAccounts",
    "LedgerBook",
    "LedgerTokens",
    "MemoryUnavailable",
    "NoRoom",
    "RefusedAccess",
    "TokenBook",
    "TokenWay",
    "UsedDecisions",
    "UsedInMemory",
    "mask_account",
    "mask_pan",
    "parse_map",
    "receipt_header",
]
