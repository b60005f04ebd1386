"""The client's keys: every algorithm, keys in files, keys that are waited for, reads without one."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from api.client import (
    LedgerClient,
    LocalSigner,
    Pseudonyms,
    RefusedByLedger,
)
from tests.client.service import Service, active_consent, balance_item, terms_for


@pytest.mark.parametrize("alg", ["ES256", "PS256"])
def test_every_algorithm_signs_what_the_ledger_accepts(sqlite_service: Service, alg: Any) -> None:
    name = f"app-{alg.lower()}"
    sqlite_service.join(name, "recipient", alg=alg)

    async def story() -> None:
        async with sqlite_service.client(name) as app:
            asked = await app.request_consent(str(uuid.uuid4()), terms_for(name))
            assert asked.act == "consent.request"

    asyncio.run(story())


@pytest.mark.parametrize("alg", ["EdDSA", "ES256", "PS256"])
def test_a_saved_key_is_the_same_key_and_its_file_is_private(tmp_path: Path, alg: Any) -> None:
    made = LocalSigner.generate("k", alg)
    made.save(tmp_path / "key.pem", password=b"correct horse")
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0
    loaded = LocalSigner.load("k", tmp_path / "key.pem", password=b"correct horse")
    assert (loaded.alg, loaded.jwk) == (made.alg, made.jwk)


def test_a_client_without_a_key_for_reads_is_told_so(sqlite_service: Service) -> None:
    async def story() -> None:
        member = sqlite_service.members["app-1"]
        async with LedgerClient(sqlite_service.url, "app-1", member.signer, sqlite_service.trust) as app:
            with pytest.raises(RefusedByLedger) as refused:
                await app.receipt(0)
            assert refused.value.status == 401

    asyncio.run(story())


class KeyService:
    """A key behind a network: each signature is waited for."""

    def __init__(self, key: LocalSigner) -> None:
        self._key = key
        self.kid, self.alg, self.jwk = key.kid, key.alg, key.jwk
        self.signed = 0

    async def sign(self, message: bytes) -> bytes:
        await asyncio.sleep(0)
        self.signed += 1
        return self._key.sign(message)


def test_a_key_that_is_waited_for_signs_statements_batches_and_token_requests(service: Service) -> None:
    async def story() -> None:
        member, consent_id = service.members["app-1"], str(uuid.uuid4())
        statements, tokens = KeyService(member.signer), KeyService(member.client_key)
        async with (
            service.client("bank-a") as bank,
            LedgerClient(service.url, "app-1", statements, service.trust, client_key=tokens) as app,
        ):
            account = await active_consent(bank, app, consent_id, Pseudonyms.generate())
            assert (await app.access(balance_item(consent_id, account))).allowed
            batch = await app.access_many([balance_item(consent_id, account, f"interaction-{at}") for at in range(3)])
            assert [receipt.allowed for receipt in batch] == [True, True, True]
            assert (await app.receipt(batch[0].index)).file[:20] == batch[0].file[:20]
            assert (statements.signed, tokens.signed) == (3, 1)
            with pytest.raises(TypeError, match="asynchronously"):
                app.statements.access(balance_item(consent_id, account))

    asyncio.run(story())
