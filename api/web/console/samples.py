"""Ready-to-run code for a participant: its id, its key ids and the log's key stand where they belong (tests run it)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from api.web.console.doors import PartnerDesk

_HEAD: Final = """\
import asyncio
import sys
from pathlib import Path

{imports}

LOG_KEY = "{vkey}"
KEYS = Path("keys")  # {statement_kid}.key and {client_kid}.key, mode 0600


async def main() -> None:
    ledger = LedgerClient(
        "{base}",
        "{participant}",
        LocalSigner.load("{statement_kid}", KEYS / "{statement_kid}.key"),
        Trust(parse_vkey(LOG_KEY)),
        client_key=LocalSigner.load("{client_kid}", KEYS / "{client_kid}.key"),
        memory=InFile(Path("checkpoint")),
    )
    async with ledger:
        checkpoint = await ledger.checkpoint()
        print("the log has", checkpoint.size, "entries")
{body}

asyncio.run(main())
"""
_RECIPIENT: Final = """\
        terms = make_terms(
            holder=sys.argv[1], recipient=ledger.participant, permissions=["ReadAccountsBasic", "ReadBalances"],
            purpose="budgeting", purpose_text="Budget planning", notice=b"What we showed the customer.",
            separate_consents=["provision", "sensitive"],  # data of grade 3: the customer is asked for each by itself
        )
        consent_id = str(uuid.uuid4())
        asked = await ledger.request_consent(consent_id, terms)
        print("asked for", consent_id, "in entry", asked.index)
        item = make_item(
            consent_id=consent_id, accounts=[], permissions=["ReadBalances"], purpose="budgeting",
            request_digest=request_digest(terms.holder, "GET", "/accounts"), interaction_id=str(uuid.uuid4()),
        )
        access = await ledger.access(item)
        print("allowed" if access.allowed else access.decision.reasons, "in entry", access.index)
"""
_HOLDER: Final = """\
        consent_id = sys.argv[1]
        print("state:", (await ledger.consent(consent_id))["status"])
        for receipt in await ledger.history(consent_id):  # each is verified before it is returned
            print(receipt.index, receipt.act)
"""
_CURL: Final = """\
# Which log this is, and its newest signed checkpoint
curl --fail {base}/log
curl --fail {base}/checkpoint

# Prove that entry 0 is in the tree of the newest size
SIZE=$(curl --fail --silent {base}/checkpoint | sed -n 2p)
curl --fail "{base}/proofs/inclusion?index=0&size=$SIZE"

# What the log says of {participant}
curl --fail {base}/participants/{participant}
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A piece of code under a name that says its language."""

    language: str
    arguments: str
    """How to call it: a key of the catalogue."""
    code: str


def samples(partner: PartnerDesk) -> list[Sample]:
    """The samples for one participant. Keys that are not registered yet appear under the ids they might get."""
    ledger = partner.desk.office.ledger
    filled = {
        "base": partner.desk.office.base_url,
        "participant": partner.id,
        "vkey": ledger.vkey.format(),
        "statement_kid": _kid(partner, "statement"),
        "client_kid": _kid(partner, "client"),
    }
    if partner.side == "recipient":
        names = "InFile, LedgerClient, LocalSigner, Trust, make_item, make_terms, request_digest"
        body, standard = _RECIPIENT, "import uuid\n"
    else:
        names, body, standard = "InFile, LedgerClient, LocalSigner, Trust", _HOLDER, ""
    imports = f"from api.client import {names}\nfrom ledger.notes.keys import parse_vkey"
    python = _HEAD.format(imports=imports, body=body, **filled)
    if standard:
        python = python.replace("import sys\n", f"import sys\n{standard}", 1)
    return [
        Sample("Python", f"con.sandbox.run.{partner.side}", python),
        Sample("curl", "con.sandbox.run.curl", _CURL.format(**filled)),
    ]


def _kid(partner: PartnerDesk, use: str) -> str:
    keys = partner.desk.office.ledger.registry.keys.values()
    active = [key.kid for key in keys if key.participant == partner.id and key.use == use and key.revoked_at is None]
    return active[-1] if active else f"{partner.id}-{use}"
