"""A customer who reports an access that she did not expect."""

from __future__ import annotations

from tests.web.site import MEI, Site, csrf_of

WORDS = "I was asleep, and =1+1 <b>nobody</b> asked"


def report(site: Site, index: int, words: str = WORDS, who: str = MEI) -> str:
    """Mei did not expect an access; the number she reads."""
    with site.client(who) as client:
        page = client.get(f"/my/receipts/{index}/report")
        answer = client.post(f"/my/receipts/{index}/report", data={"csrf": csrf_of(page), "words": words})
    assert answer.status_code == 200, answer.text
    return str(answer.url).rpartition("/")[2].partition("?")[0]
