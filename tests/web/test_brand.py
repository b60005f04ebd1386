"""The bank's face on every page; colours that cannot be read stop the start; frames and the overview for listed sites only."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.sync_api import Browser
from pydantic import ValidationError

from api.node.web_settings import WebSettings
from api.web.brand import GROUNDS, contrast, read_brand
from api.web.security import CSP
from ledger.errors import InvalidInput
from tests.ports import loopback
from tests.web.site import MEI, Site, open_site, serving

WEB = Path(__file__).resolve().parents[2] / "api" / "web"
PNG = b"\x89PNG\r\n\x1a\n" + b"a picture of the bank"
BANK = {
    "name": {"en": "Bank of Lin", "zh-CN": "林氏银行"},
    "logo": "logo.png",
    "telephone": "+86 400-820-0000",
    "privacy": "privacy@bank.example",
    "light": {"accent": "#7a1f1f", "on_accent": "#ffffff"},
    "dark": {"accent": "#f0a0a0", "on_accent": "#200808"},
}


def write_brand(folder: Path, **members: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "logo.png").write_bytes(PNG)
    (folder / "brand.json").write_text(json.dumps(BANK | members))
    return folder / "brand.json"


def test_every_page_and_receipt_carries_the_banks_name_telephone_and_privacy_address(tmp_path: Path) -> None:
    file = write_brand(tmp_path / "brand")
    with open_site(tmp_path / "site", web={"brand_file": file}) as site:
        index = site.read(site.shared()).index
        with site.client() as client, site.client(None, language="zh-CN") as stranger:
            for path in ("/my/connections", f"/my/receipts/{index}", "/verify", "/nowhere", "/my/settings"):
                page = client.get(path).text
                for part in ("Bank of Lin", "+86 400-820-0000", "tel:+864008200000", "privacy@bank.example"):
                    assert part in page, (path, part)
            paper = client.get(f"/my/receipts/{index}").text.partition("<article")[2].partition("</article")[0]
            assert "Bank of Lin" in paper, "on paper there is no header"
            assert "林氏银行" in stranger.get("/").text
            logo = re.search(r'src="(/brand/logo\?v=\w+)"', stranger.get("/").text)
            assert logo
            assert client.get(logo[1]).content == PNG
            assert "#7a1f1f" in client.get("/brand.css").text


def test_without_a_brand_the_pages_name_no_bank(shared_site: Site) -> None:
    with shared_site.client(None) as client:
        assert client.get("/brand/logo").status_code == 404
        assert "/brand.css" not in client.get("/").text


@pytest.mark.parametrize(
    ("scheme", "colours", "said"),
    [
        ("light", {"accent": "#ffd700", "on_accent": "#ffffff"}, r"on_accent on accent.*1\.\d\d"),
        ("light", {"accent": "#ffd700", "on_accent": "#000000"}, r"accent on ground.*darker accent"),
        ("dark", {"accent": "#333333", "on_accent": "#ffffff"}, r"accent on ground.*lighter accent"),
    ],
)
def test_colours_that_cannot_be_read_are_refused_with_the_number(
    tmp_path: Path, scheme: str, colours: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        read_brand(write_brand(tmp_path / "brand", **{scheme: colours}))
    assert "4.5 is the least" in str(refused.value)


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_the_grounds_are_those_of_the_style_sheet() -> None:
    sheet = (WEB / "static" / "style.css").read_text()
    for scheme, block in zip(("light", "dark"), re.findall(r":root \{(.*?)\}", sheet, re.DOTALL), strict=True):
        found = dict(re.findall(r"--(\w+): (#\w{6})", block))
        assert {name: found[name] for name in GROUNDS[scheme]} == GROUNDS[scheme]


def test_only_listed_sites_may_frame_the_pages_or_read_the_overview(tmp_path: Path) -> None:
    listed = ("https://www.bank.example", "https://app.bank.example")
    with open_site(tmp_path / "site", web={"frame_ancestors": listed}) as site:
        consent = site.shared()
        site.read(consent)
        with site.client() as client, site.client(None) as stranger:
            page = client.get("/my/connections")
            assert f"frame-ancestors {listed[0]} {listed[1]};" in page.headers["content-security-policy"]
            assert "x-frame-options" not in page.headers
            for origin, allowed in ((listed[0], True), ("https://evil.example", False), ("null", False)):
                answer = client.get("/my/overview.json", headers={"origin": origin})
                assert ("access-control-allow-origin" in answer.headers) is allowed, origin
                assert "origin" in answer.headers["vary"]
            said = answer.json()
            assert (said["reads_week"], said["needs"]) == (1, 0)
            [app] = said["apps"]
            assert (app["name"], app["connections"][0]["status"]) == ("Plum Budget", "ACTIVE")
            assert app["connections"][0]["stop_url"] == f"{site.url}/my/connections/{site.key(consent)}/stop"
            refused = stranger.get("/my/overview.json", headers={"origin": listed[0]})
            assert (refused.status_code, refused.json()) == (401, {"sign_in": f"{site.url}/sign-in"})


def test_without_a_list_nobody_frames_and_no_other_site_reads(shared_site: Site) -> None:
    with shared_site.client() as client:
        page = client.get("/my/overview.json", headers={"origin": "https://www.bank.example"})
        assert page.headers["content-security-policy"] == CSP
        assert page.headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in page.headers


def test_sites_that_cannot_be_trusted_are_no_list(tmp_path: Path) -> None:
    for wrong in ("*", "https://*", "http://bank.example", "https://bank.example/path", "bank.example", "'self'"):
        with pytest.raises(ValidationError):
            WebSettings(environment="development", frame_ancestors=(wrong,))
    with pytest.raises(ValidationError, match="https://"):
        WebSettings(frame_ancestors=("http://localhost:1",))


@pytest.mark.browser
def test_the_component_shows_her_overview_on_the_banks_own_page(tmp_path: Path, browser: Browser) -> None:
    own = FastAPI(openapi_url=None)
    with loopback() as listener:
        origin = f"http://localhost:{listener.getsockname()[1]}"
        with open_site(tmp_path / "site", recipient="<i>Plum</i>", web={"frame_ancestors": (origin,)}) as site:
            consent = site.shared()
            markup = (
                f'<html lang="zh"><body><data-sharing-overview src="{site.url}"></data-sharing-overview>'
                f'<script type="module" src="{site.url}/embed.js"></script></body></html>'
            )

            async def page_of_the_bank() -> HTMLResponse:
                return HTMLResponse(markup)

            own.add_api_route("/", page_of_the_bank, response_model=None)
            with serving(own, listener):
                context = browser.new_context(locale="zh-CN")
                page = context.new_page()
                page.goto(origin)
                page.get_by_text("登录后查看谁在读取您的数据").wait_for()
                page.goto(f"{site.url}/sign-in/start")
                page.get_by_role("button", name=site.people[MEI].name).click()
                page.wait_for_url("**/my/connections")
                page.goto(origin)
                page.get_by_text("<i>Plum</i>").wait_for()
                assert page.get_by_role("link", name="查看和停止").get_attribute("href") == (
                    f"{site.url}/my/connections/{site.key(consent)}"
                )
                context.close()
