"""What is compared once a log was read lies on disk beyond a bound, and comes back whole and in order."""

from __future__ import annotations

import random
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from verifier.errors import CannotCheck
from verifier.rules.deferred import BUCKETS, FLUSH, Spool

WIDTH = 16


def test_records_come_back_by_bucket_in_the_order_they_were_put() -> None:
    """From disk and from memory alike; two buckets have more than goes to disk at once, by turns with each other."""
    chance = random.Random(12)
    put: dict[int, list[bytes]] = {}
    with closing(Spool(WIDTH)) as spool:
        for _ in range(5 * FLUSH // WIDTH):
            bucket, record = chance.choice((0, 0, 0, 7, 7, BUCKETS - 1)), chance.randbytes(WIDTH)
            put.setdefault(bucket, []).append(record)
            spool.put(bucket, record)
        assert list(spool.buckets()) == [put[bucket] for bucket in sorted(put)]
        assert list(spool.buckets()) == [put[bucket] for bucket in sorted(put)], "a second time"
        for bucket in range(BUCKETS):
            assert spool.read(bucket) == b"".join(put.get(bucket, []))


def test_a_few_records_need_no_disk_and_many_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with closing(Spool(WIDTH)) as spool:
        for bucket in range(BUCKETS):
            spool.put(bucket, bytes(WIDTH))
        assert len(list(spool.buckets())) == BUCKETS
        with pytest.raises(CannotCheck, match="set TMPDIR"):
            spool.put(3, bytes(FLUSH))
