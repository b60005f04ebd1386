"""While nothing can be committed: a person is told in seconds what is known and how to go on, and the operator sees why.

Review «people», defect 3: the customer waited a minute and had no way to try again; the operator's console said «Recording».
"""

from __future__ import annotations

import html
import re
import threading
from pathlib import Path

import httpx2
import pytest

from api.web import waiting
from ledger.consent.state import Status
from ledger.sequencer import figures
from tests.ledger.meddling import lock_held
from tests.web.consoles import open_consoles
from tests.web.site import WEI, Site, csrf_of


def text_of(page: httpx2.Response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def locked(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.sqlite'}"


@pytest.mark.parametrize(
    ("language", "said", "button"),
    [
        ("en", "It may have been recorded: look before you repeat it", "Look and try again"),
        ("zh-CN", "可能已经记录", "查看并重试"),
    ],
)
def test_a_customer_is_told_that_nobody_knows_yet_and_where_to_look(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, said: str, button: str
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.2)
    consent = site.shared()
    here = f"/my/connections/{site.key(consent)}"
    noted = threading.Event()
    remember = site.office.store.remember_deed

    def remembered(*deed: object) -> None:
        remember(*deed)  # type: ignore[arg-type]
        noted.set()

    monkeypatch.setattr(site.office.store, "remember_deed", remembered)
    with site.client(language=language) as client:
        form = {"csrf": csrf_of(client.get(f"{here}/pause"))}
        with lock_held(locked(tmp_path / "site")):
            answer = client.post(f"{here}/pause", data=form)
        assert answer.status_code == 503
        assert said in text_of(answer)
        [again] = re.findall(rf'<a\s+class="button"\s+href="([^"]+)">{button}</a>', answer.text)
        assert again == f"{here}/pause"
        assert noted.wait(60), "it was recorded after all, and noted as hers"
        assert client.get(again).status_code == 200
        history = text_of(client.get(here))
    assert site.world.ledger.records.consent(site.bank.id, consent.consent_id).status is Status.PAUSED
    assert ("You paused" in history) if language == "en" else ("您已暂停" in history)
    with site.client(WEI, language=language) as other:
        told = text_of(other.get(here))
    assert ("You paused" not in told) if language == "en" else ("您已暂停" not in told)


@pytest.mark.parametrize(
    ("language", "state"), [("en", "Nothing new is recorded now"), ("zh-CN", "目前无法写入新记录")]
)
def test_the_operators_console_says_that_and_why_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, state: str
) -> None:
    monkeypatch.setattr(figures, "READY_SECONDS", 0.2)
    with open_consoles(tmp_path / "site") as site, site.client("olaf") as client:
        client.headers["accept-language"] = language
        with lock_held(locked(tmp_path / "site")):
            consent = site.consents["active"]
            future = site.world.ledger.submit_soon(
                site.world.ledger.prepare(site.world.parties["plum"].access(consent).statement)
            )
            while state not in (page := client.get("/console/operator")).text:
                assert page.status_code == 200
        assert "the database" in text_of(page), "the cause"
        assert 'role="alert"' in page.text
        assert text_of(page).index(state) < text_of(page).index("Witnesses" if language == "en" else "见证方"), (
            "worst first"
        )
        future.result(60)
        while state in (page := client.get("/console/operator")).text:
            assert page.status_code == 200
        assert 'role="alert"' not in page.text
