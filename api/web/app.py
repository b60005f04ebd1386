"""The pages as one application: parts put together, errors turned into pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api.client.signing import LocalSigner
from api.events.endpoints import Endpoints
from api.http.refusals import NoSuchRoute
from api.http.telemetry import NO_TELEMETRY
from api.http.wire import problem_reply, visit_of
from api.node.bundling import Bundler, read_policy
from api.node.models import ModelFolder
from api.node.remits import read_remits
from api.office.discretion import Discretion
from api.office.rights import Rights
from api.partners.invitations import Invitations
from api.tokens.keys import TokenSigner
from api.web import live
from api.web.agent import read_customers
from api.web.agents import read_agents, read_contacts
from api.web.brand import read_brand
from api.web.console import (
    admissions,
    alerts,
    attested,
    audit,
    billing,
    cases,
    consents,
    delegating,
    endpoint,
    erasures,
    finding,
    freezes,
    handing,
    holds,
    incidents,
    mapping,
    operations,
    partner,
    provider,
    records,
    remitting,
    sandbox,
    supervision,
)
from api.web.console import feedback as feedback_desk
from api.web.console.premises import Premises
from api.web.declaring import read_signers
from api.web.desk import Desk, SignedOut, SignInNeeded, StepUpNeeded, open_desk
from api.web.devidp import PATH as DEV_IDP
from api.web.devidp import DevelopmentProvider, NotForThisPlace, dev_routes
from api.web.directory import ParticipantDirectory
from api.web.disclosures import Disclosures
from api.web.handover import Handover
from api.web.migrating import open_store
from api.web.office import BankPages
from api.web.oidc import RelyingParty
from api.web.pages import (
    approving,
    authorizing,
    complaining,
    completing,
    connections,
    earlier,
    embedding,
    erasing,
    feedback,
    joining,
    notices,
    overview,
    parting,
    public,
    receipts,
    settings,
    signin,
    stopping,
    together,
)
from api.web.passkeys import Ceremonies
from api.web.people import KeptWords
from api.web.sandboxes import SandboxService
from api.web.sealing import KEY_NAME
from api.web.security import Guarded
from api.web.staff import CONSOLE, read_staff
from api.web.subscriptions import CHANNELS
from api.web.telling.carriers import carriers
from api.web.telling.teller import Teller
from api.web.waiting import Unconfirmed
from api.web.words import LANGUAGES, bdi
from ledger.app import Ledger
from ledger.canonical import b64u
from ledger.clock import Clock, SystemClock
from ledger.errors import InvalidInput, LedgerError, NotFound, NotPermitted, Refused, SequencerStopped, Unavailable
from ledger.queries.glances import GlanceQueries
from ledger.queries.overview import OverviewQueries
from ledger.queries.witnessed import WitnessedQueries

if TYPE_CHECKING:
    from api.node.settings import Settings

TEMPLATES: Final = Path(__file__).parent / "templates"
ROUTERS: Final = (
    public.router,
    signin.router,
    live.router,
    overview.router,
    complaining.router,
    completing.router,
    connections.router,
    approving.router,
    authorizing.router,
    parting.router,
    feedback.router,
    stopping.router,
    receipts.router,
    earlier.router,
    settings.router,
    erasing.router,
    notices.router,
    embedding.router,
    joining.router,
    together.router,
)
CONSOLES: Final = (
    partner.router,
    provider.router,
    consents.router,
    audit.router,
    records.router,
    cases.router,
    handing.router,
    finding.router,
    operations.router,
    erasures.router,
    supervision.router,
    incidents.router,
    freezes.router,
    holds.router,
    remitting.router,
    admissions.router,
    billing.router,
    mapping.router,
    feedback_desk.router,
    alerts.router,
    sandbox.router,
    delegating.router,
    endpoint.router,
    attested.router,
)


def mount(
    app: FastAPI,
    ledger: Ledger,
    settings: Settings,
    *,
    clock: Clock | None = None,
    handover: Handover | None = None,
    rights: Rights | None = None,
    endpoints: Endpoints | None = None,
) -> Teller:
    """Serve the pages at every address that is not a route of `app`; what tells customers of news, not started yet.

    Not as a mount at `/`: that would also answer for routes that exist under another method (405).

    Raises NotForThisPlace when the development identity provider is asked for outside development or loopback, NotFound or
    InvalidInput for missing or unfit key files.
    """
    pages = build(ledger, settings, clock=clock, handover=handover, rights=rights, endpoints=endpoints)
    app.router.default = pages
    teller: Teller = pages.state.teller
    return teller


def build(
    ledger: Ledger,
    settings: Settings,
    *,
    clock: Clock | None = None,
    handover: Handover | None = None,
    rights: Rights | None = None,
    endpoints: Endpoints | None = None,
) -> FastAPI:
    """The pages' own application."""
    web, base_url, clock = settings.web, settings.base_url, clock or SystemClock()
    templates = make_templates()
    provider, relying_party = _sign_in(settings, clock)
    host = urlsplit(base_url).hostname or "localhost"
    development = web.environment == "development"
    carrying = carriers(settings.notices, base_url, clock, development=development)
    office = BankPages(
        ledger=ledger,
        settings=web,
        base_url=base_url,
        store=open_store(
            web.session_store_url or f"sqlite:///{settings.state_dir / 'web.sqlite'}",
            web.session_key_file or settings.state_dir / KEY_NAME,
        ),
        agents=read_agents(web, ledger.origin, clock),
        relying_party=relying_party,
        ceremonies=Ceremonies(host, base_url, ledger.origin),
        templates=templates,
        clock=clock,
        disclosures=Disclosures(OverviewQueries(ledger.store), lambda: ledger.registry.handovers),
        discretion=Discretion(),
        contacts=read_contacts(web),
        directory=ParticipantDirectory.read(web.directory_file),
        brand=read_brand(web.brand_file),
        glances=GlanceQueries(ledger.store, ledger.keystore),
        invitations=Invitations(lambda: TokenSigner.load(settings.token_key_file), ledger.origin),
        channels=tuple(channel for channel in CHANNELS if channel in carrying),
        bundler=Bundler(
            ledger,
            WitnessedQueries(ledger.store, read_policy(settings, ledger.vkeys)),
            settings.policy_file,
            ModelFolder(settings.models_dir),
        ),
        state_dir=settings.state_dir,
        remits=read_remits(web.regulators_file),
        declarers=read_signers(web.signers_file, ledger.origin, clock),
        sandboxes=SandboxService.configured(web.sandbox_url, web.sandbox_token_file),
        handover=handover,
        rights=rights,
        endpoints=endpoints,
    )
    pages = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, title="Pages", telemetry=NO_TELEMETRY)
    pages.state.office = office
    pages.state.teller = Teller(office, carrying)
    pages.state.premises = Premises.of(settings)
    for router in (*ROUTERS, *CONSOLES):
        pages.include_router(router)
    if provider is not None:
        pages.include_router(dev_routes(provider))
    pages.add_middleware(Guarded, secure=office.is_secure, ancestors=web.frame_ancestors)
    _add_error_pages(pages)
    return pages


def make_templates() -> Environment:
    """The templates: everything is escaped, and a name that is not there is an error."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(asset=public.asset_url, languages=LANGUAGES, bdi=bdi, urlencode=_query)
    return templates


def _query(**values: str) -> str:
    return urlencode(values)


def _sign_in(settings: Settings, clock: Clock) -> tuple[DevelopmentProvider | None, RelyingParty | None]:
    """The embedded provider (development, without another issuer), and this ledger as a client of the one in use."""
    web, base_url = settings.web, settings.base_url
    callback = f"{base_url}/sign-in/callback"
    if web.oidc_issuer:
        if urlsplit(web.oidc_issuer).path.startswith(DEV_IDP):
            raise NotForThisPlace("the issuer is a development identity provider: it is never trusted by name")
        if web.oidc_client_key_file is None:
            raise InvalidInput("oidc_client_key_file is missing")
        key = LocalSigner.load(web.oidc_client_kid, web.oidc_client_key_file)
        client = RelyingParty(web.oidc_issuer, web.oidc_client_id, key, callback, clock, acr_values=web.oidc_acr_values)
        return None, client
    if web.customers_file is None and web.staff_file is None:
        return None, None
    customers = read_customers(web.customers_file) if web.customers_file else ()
    staff = read_staff(web.staff_file) if web.staff_file else ()
    key = LocalSigner.generate(web.oidc_client_kid, "ES256")
    provider = DevelopmentProvider(
        environment=web.environment,
        host=settings.host,
        workers=settings.workers,
        base_url=base_url,
        client_id=web.oidc_client_id,
        client_key=key,
        customers=(*customers, *staff),
        clock=clock,
    )
    return provider, RelyingParty(provider.issuer, web.oidc_client_id, key, callback, clock)


# -- errors as pages ----------------------------------------------------------------------------------------------------


def _add_error_pages(pages: FastAPI) -> None:
    @pages.exception_handler(SignInNeeded)
    def _sign_in_needed(request: Request, error: SignInNeeded) -> Response:
        desk = open_desk(request)
        ended = desk.gone or getattr(request.state, "gone", None)
        return desk.redirect(f"/sign-in?{urlencode({'next': error.then} | ({'ended': True} if ended else {}))}")

    @pages.exception_handler(SignedOut)
    def _signed_out(request: Request, error: SignedOut) -> Response:
        desk = open_desk(request)
        gone = desk.gone or getattr(request.state, "gone", None)
        if gone is not None:
            desk.change(kept=KeptWords(b64u(gone.key), error.then, error.words))
        return desk.render("signedout.html", 401, words_kept=error.words, then=error.then, is_kept=gone is not None)

    @pages.exception_handler(StepUpNeeded)
    def _step_up_needed(request: Request, error: StepUpNeeded) -> Response:
        if error.then.startswith(CONSOLE):  # passkeys are customers'; people at work prove themselves to their provider
            return open_desk(request).redirect(f"/sign-in/start?{urlencode({'next': error.then, 'fresh': True})}")
        return open_desk(request).redirect(f"/step-up?{urlencode({'next': error.then})}")

    @pages.exception_handler(LedgerError)
    def _refused(request: Request, error: LedgerError) -> Response:
        return _page(open_desk(request), _status_of(error), error)

    @pages.exception_handler(RequestValidationError)
    def _not_understood(request: Request, _error: RequestValidationError) -> Response:
        return _page(open_desk(request), 404, None)

    @pages.exception_handler(HTTPException)
    def _other(request: Request, error: HTTPException) -> Response:
        if "text/html" not in request.headers.get(
            "accept", ""
        ):  # a program, not a person: an address of the API misspelt
            nothing = NoSuchRoute("nothing is served at this address")
            return problem_reply(nothing, visit_of(request.scope), request.app.state.office.base_url).response()
        return _page(open_desk(request), error.status_code, None)

    @pages.exception_handler(msgspec.ValidationError)
    def _unfit(request: Request, _error: msgspec.ValidationError) -> Response:
        return _page(open_desk(request), 400, None)


def _status_of(error: LedgerError) -> int:
    match error:
        case NotFound():
            return 404
        case NotPermitted() | InvalidInput():
            return 403
        case Refused():
            return 409
        case Unavailable():
            return 503
        case _:
            return 500


def _page(desk: Desk, status: int, error: LedgerError | None) -> Response:
    """An error in words. The core's sentences are for engineers; a customer reads ours, and theirs below."""
    known = status if status in {403, 404, 409, 503} else (500 if status >= 500 else 404)
    # A node that stopped in the middle may have recorded it: then no page says that it was not.
    text = "error.503.unknown" if isinstance(error, SequencerStopped | Unconfirmed) else f"error.{known}.text"
    again = _way_back(desk.request) if known == 503 else None
    return desk.render("error.html", status, kind=known, text=text, error=error, again=again)


def _way_back(request: Request) -> str:
    """The page to look at and try again: this one or, after a form, the nearest one that can be opened."""
    path = request.url.path
    if request.method == "GET":
        return f"{path}?{request.url.query}" if request.url.query else path
    while path:
        asked = {"type": "http", "method": "GET", "path": path, "root_path": "", "path_params": {}, "headers": []}
        if any(route.matches(asked)[0] is Match.FULL for route in request.app.routes):
            return path
        path = path.rpartition("/")[0]
    return "/"
