"""What a customer's pages cost with few and with many events, side by side in one run.

    python -m tests.bench.pages [--few 200] [--many 200000] [--rounds 15] [--database URL] [--json FILE]

Both customers live on one site. Pages are fetched in turn (few, many, few, …), so that whatever else the machine does weighs on
both; what is compared is the best time of a page, which a busy machine disturbs least, the best processor time of this process,
which it disturbs hardly at all (SQLite works in it, PostgreSQL does not), and the number of SQL statements.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx2

from tests.web.costs import counted, fill
from tests.web.site import MEI, OLGA, Site, open_site
from tests.world import ConsentInWorld

PAGES = (
    "/my/connections",
    "/my/connections/{key}",
    "/my/connections/{key}/history",
    "/my/connections/{key}/history?show=refused",
    "/my/connections/{key}/history?before=150",
    "/my/complete",
    "/my/connections/{key}/complete",
    "/my/connections/{key}/stop",
    "/my/stop-all",
    "/my/receipts",
    "/my/settings",
    "/my/erase",
    "/my/feedback",
    "/my/notices",
    "/my/together",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """One page: best milliseconds, by the clock and of the processor, and SQL statements, with few events and with many."""

    page: str
    few_ms: float
    many_ms: float
    few_cpu_ms: float
    many_cpu_ms: float
    few_statements: int
    many_statements: int

    @property
    def ratio(self) -> float:
        return self.many_ms / self.few_ms

    @property
    def cpu_ratio(self) -> float:
        return self.many_cpu_ms / self.few_cpu_ms


def measure(site: Site, few: int, many: int, rounds: int) -> list[Cost]:
    """Fill two customers' histories, then fetch each page in turn."""
    consents = {OLGA: site.agree(site.ask(), OLGA, accounts=1), MEI: site.shared(MEI)}
    for who, count in ((OLGA, few), (MEI, many)):
        fill(site, consents[who], count)
    with site.client(OLGA) as small, site.client(MEI) as large:
        return [_cost(site, path, {OLGA: small, MEI: large}, consents, rounds) for path in PAGES]


def _cost(
    site: Site, path: str, clients: dict[str, httpx2.Client], consents: dict[str, ConsentInWorld], rounds: int
) -> Cost:
    times: dict[str, list[tuple[float, float]]] = {OLGA: [], MEI: []}
    statements: dict[str, int] = {}
    for _ in range(rounds + 1):  # the first round warms caches
        for who, client in clients.items():
            address = path.replace("{key}", str(site.key(consents[who], who)))
            with counted() as said:
                began, busy = time.perf_counter(), time.process_time()
                answer = client.get(address)
                times[who].append(((time.perf_counter() - began) * 1000, (time.process_time() - busy) * 1000))
            assert answer.status_code == httpx2.codes.OK, address
            statements[who] = len(said)
    best = [round(min(one[kind] for one in times[who][1:]), 2) for kind in (0, 1) for who in (OLGA, MEI)]
    return Cost(path, best[0], best[1], best[2], best[3], statements[OLGA], statements[MEI])


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=200)
    parser.add_argument("--many", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--database", default="")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, open_site(Path(place) / "site", database=asked.database) as site:
        found = measure(site, asked.few, asked.many, asked.rounds)
    for one in found:
        told = f"{one.few_ms:8.1f} ms {one.many_ms:8.1f} ms  × {one.ratio:.2f}   "
        told += f"CPU {one.few_cpu_ms:6.1f} {one.many_cpu_ms:6.1f}  × {one.cpu_ratio:.2f}   SQL"
        print(f"{one.page:48} {told} {one.few_statements} {one.many_statements}")
    print(
        f"worst × {max(one.ratio for one in found):.2f}, of the processor × {max(one.cpu_ratio for one in found):.2f}"
    )
    if asked.json:
        asked.json.write_text(
            json.dumps([asdict(one) | {"ratio": round(one.ratio, 3)} for one in found], indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
