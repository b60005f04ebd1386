"""The participants that scripts/failover and scripts/operate let work keep all that they are told, and tell what broke them."""

from __future__ import annotations

import pytest

from api.client import ClientError
from tests.client.service import Service
from tests.client.working import Load


def test_all_that_was_acknowledged_is_kept_and_nothing_comes_while_they_rest(sqlite_service: Service) -> None:
    tree = sqlite_service.node.ledger.tree
    before = tree.size()
    load = Load(sqlite_service.client, writers=2, pause=0.001)
    load.start()
    load.works(6)
    load.rests()
    size, kept = tree.size(), len(load.answered)
    assert size == before + len(load.receipts)
    load.goes_on()
    load.works(1)
    load.stop()
    assert len(load.answered) > kept
    later = load.again()
    later.start()
    later.works(1)
    later.stop()
    assert sorted(receipt.index for receipt in later.receipts) == list(range(before, tree.size()))
    assert load.receipts == later.receipts[: len(load.receipts)]


def test_a_refusal_that_broke_them_is_raised_where_one_waits(sqlite_service: Service) -> None:
    strangers = Load(lambda who: sqlite_service.client({"app-1": "bank-a", "bank-a": "app-1"}[who]))
    strangers.start()
    with pytest.raises(ClientError):
        strangers.works(1)
