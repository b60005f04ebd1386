"""Who may enter where; and the routes that bypass the framework answer as it does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from api.server.app import create_framework
from api.server.hot import HOT_POSTS
from tests.api.doors import ALLOWED, OPEN, routes_of
from tests.api.service import Service


def test_every_route_declares_its_access_and_only_these_are_open(sqlite_service: Service) -> None:
    routes = routes_of(sqlite_service)
    assert {(method, path) for method, path, access in routes if access == "open"} == OPEN
    assert len(routes) > len(OPEN)


def test_each_role_enters_where_its_scopes_lead_and_nowhere_else(sqlite_service: Service) -> None:
    """The matrix of routes and roles, made from the routes that exist."""
    service = sqlite_service
    clients = {role: service.as_(service.world.join(f"x-{role}", role)) for role in ALLOWED if role != "operator"}
    clients["operator"] = service.operator()
    for method, template, access in routes_of(service):
        if access == "open":
            continue
        path = re.sub(r"\{\w+\}", "0", template)
        assert service.http.request(method, path).status_code == 401, (method, template)
        for role, client in clients.items():
            status = client.request(method, path).status_code
            allowed = access.removeprefix("token:") in ALLOWED[role]
            assert (status not in {401, 403}) == allowed, (role, method, template, status)
            assert allowed or status == 403


def test_fast_routes_answer_as_the_framework_does(sqlite_service: Service) -> None:
    from tests.api.service import serving
    from tests.ports import loopback

    service, world = sqlite_service, sqlite_service.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    access, batch = app.access(consent), app.batch([app.item(consent)])
    assert {access.path, batch.path} == set(HOT_POSTS)
    service.post(access)
    service.post(batch)
    framework = create_framework(service.node)
    framework.router.lifespan_context = _no_lifespan
    listening = loopback()
    import httpx2

    client = service.as_(app)
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with serving(framework, listening), httpx2.Client(base_url=base, timeout=30, trust_env=False) as plain:
        for submission in (access, batch):
            headers = {"content-type": "application/json"}
            fast, slow = service.post(submission), plain.post(submission.path, content=submission.body, headers=headers)
            assert (fast.status_code, fast.content, fast.headers["location"]) == (
                slow.status_code,
                slow.content,
                slow.headers["location"],
            )
        for path in (
            "/tile/0/000.p/3",
            "/tile/0/000",
            "/receipts/0",
            "/receipts/0.tlog-proof",
            "/receipts/x",
            "/tile/entries/000.p/1",
        ):
            fast = client.get(path)
            slow = plain.get(path, headers=client.headers("GET", path))
            assert (fast.status_code, fast.headers["content-type"]) == (
                slow.status_code,
                slow.headers["content-type"],
            ), path
            if fast.status_code == 200:
                assert fast.content == slow.content
            else:
                assert fast.json() | {"instance": ""} == slow.json() | {"instance": ""}


@asynccontextmanager
async def _no_lifespan(_: Any) -> AsyncIterator[None]:
    """The node belongs to the other server."""
    yield
