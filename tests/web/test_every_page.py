"""A new page is not forgotten: the documents name it, and a page or a step leads to it.

That it has words in every language, is judged for accessibility and sends strangers away is held elsewhere
(test_words.py, test_accessibility.py, test_security.py).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import jinja2
import pytest
from fastapi.routing import APIRoute
from jinja2 import nodes

from api.web.app import ROUTERS

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "api" / "web"
NOT_PAGES = {
    # what a page uses, or a redirection
    "/language",
    "/static/{name}",
    "/logo/{participant}",
    "/manifest.webmanifest",
    "/reading",
    "/my/connections/{key}/complaint.zip",
    "/sign-in/start",
    "/sign-in/callback",
    "/my/export/{form}",
    "/my/receipts/{index}/file",
    "/my/complete/file",
    "/my/earlier/complete",
    "/my/earlier/table",
    "/my/earlier/{index}",
    "/my/connections/{key}/complete/file",
    "/my/connections/{key}/live",
    "/my/feedback/{number}/file",
    "/brand.css",
    "/brand/logo",
    "/embed.js",
    "/my/overview.json",
}
ONE_PAGE_EACH = {"/my/connections/{key}/{step}": ("/my/connections/{key}/pause", "/my/connections/{key}/resume")}
ELSEWHERE = {
    "/authorize": "an app, as the metadata of the token service tells it",
    "/authorize/{authorisation}": "an app, as the link scaRedirect tells it (docs/standards/berlin.md)",
    "/my/approve": "a recipient sends its customer there",
    "/step-up": "the application sends there (StepUpNeeded)",
    "/sign-in": "the application sends there (SignInNeeded)",
    "/": "the front door",
    "/join": "an invitation leads there (docs/partners.md)",
}


def pages() -> list[str]:
    found = {
        route.path
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in route.methods
    }
    assert found > NOT_PAGES
    return sorted(one for path in found - NOT_PAGES for one in ONE_PAGE_EACH.get(path, (path,)))


def shape(address: str) -> str:
    return re.sub(r"\{\w+\}|<\w+>", "*", address.partition("?")[0])


def told() -> Iterator[str]:
    """The addresses in the table «Pages» of docs/people.md; `…/x` lies beside the one before it."""
    before = ""
    for row in re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "people.md").read_text(), re.MULTILINE):
        for address in re.findall(r"`([^`]+)`", row):
            if address.startswith("…"):
                beside, _, name = address[1:].partition("/")[2].partition("/")
                within = before.rpartition(f"/{beside}")[0] if name else before.rpartition("/")[0]
                yield f"{within}/{beside}/{name}".rstrip("/")
            else:
                before = address
                yield address


def test_every_module_of_pages_is_served() -> None:
    modules = {path.stem for path in (WEB / "pages").glob("*.py")} - {"__init__"}
    unserved = {name for name in modules if import_module(f"api.web.pages.{name}").router not in ROUTERS}
    assert unserved == set(), "ROUTERS in api/web/app.py"


def test_the_documents_name_every_page() -> None:
    assert {shape(page) for page in pages()} - set(map(shape, told())) == set(), "a row of docs/people.md, «Pages»"


@pytest.mark.parametrize("page", sorted(set(pages()) - set(ELSEWHERE)))
def test_a_page_or_a_step_leads_to_every_page(page: str) -> None:
    put = r"(\{\{.*?\}\}|\{.*?\})"
    address = re.compile("[\"']" + put.join(map(re.escape, re.split(r"\{\w+\}", page))) + "[\"'?#{]", re.DOTALL)
    sources = [*WEB.rglob("*.html"), *(path for path in WEB.rglob("*.py"))]
    declared = re.compile(r"@router\.(get|post)\(.*")
    leading = [path.name for path in sources if address.search(declared.sub("", path.read_text()))]
    assert leading != [], "nobody finds it: link to it"


def test_no_page_passes_what_the_frame_around_it_sets_itself() -> None:
    """The frame's own values win, and the page would show those: an empty name of a bank without a brand."""
    frame = jinja2.Environment(autoescape=True).parse((WEB / "templates" / "base.html").read_text())
    own = {name.name for one in frame.body if isinstance(one, nodes.Assign) for name in one.target.find_all(nodes.Name)}
    own |= {
        one.target.name for one in frame.body if isinstance(one, nodes.Assign) and isinstance(one.target, nodes.Name)
    }
    assert {"brand", "bank"} <= own
    passed = {
        f"{path.name}: {keyword.arg}"
        for path in WEB.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "render"
        for keyword in call.keywords
        if keyword.arg in own
    }
    assert passed == set()
