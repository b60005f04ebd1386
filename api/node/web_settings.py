"""What an operator can set about the pages: `CONSENT_LEDGER_WEB__…` (docs/people.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Origin = Annotated[str, Field(pattern=r"^(https://[A-Za-z0-9.-]+|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?$")]


class WebSettings(BaseModel):
    """Settings of the pages for people. Secrets are files, never values."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    environment: Literal["production", "development"] = "production"
    """`development` allows the embedded identity provider, and that on loopback only."""
    holders_file: Path | None = None
    """The holders whose customers may sign in here, and who signs for each (docs/people.md). Default: nobody may sign in."""
    customers_file: Path | None = None
    """Development only: the customers that the embedded identity provider offers, with their accounts."""
    staff_file: Path | None = None
    """Development only: the staff accounts that the embedded identity provider offers (docs/consoles.md)."""
    contacts_file: Path | None = None
    """JSON object, participant id → how customers reach it (name of the office, e-mail, telephone): shown beside separate
    consents, which must name it. Default: customers are told to ask their bank."""
    directory_file: Path | None = None
    """JSON object, participant id → `legal_name`, `registration` (number and register), `logo` (a PNG, JPEG or WebP file beside
    it, at most 64 kB): shown with each app (docs/people.md). Default: the registered name and a letter."""
    brand_file: Path | None = None
    """JSON: the bank's name, logo, telephone, privacy address and colours, on every page and receipt (docs/branding.md).
    Default: the pages name no bank."""
    frame_ancestors: tuple[Origin, ...] = ()
    """JSON list of https origins, the bank's own sites, that may show these pages in a frame and read the overview
    (docs/branding.md). Default: nobody."""
    regulators_file: Path | None = None
    """JSON object with `regulators` (participant id → `holders`, `recipients`, `jurisdictions`: lists) and `jurisdictions`
    (country → participant ids): what each regulator sees, here and over the API (docs/supervision.md). Default: all."""
    signers_file: Path | None = None
    """Who signs here for staff that order a freeze or open an incident: `{"signers": [{"participant", "kid", "key_file"}]}`,
    paths relative to the file (docs/consoles.md). Default: nobody; they sign where their key is, and use the API."""
    sandbox_url: Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$")] = ""
    """Where `consent-ledger sandbox` runs: partners open sandboxes there (docs/sandbox.md). Default: no button."""
    sandbox_token_file: Path | None = None
    """The token of those sandboxes (mode 0600), as `consent-ledger sandbox --token-file` writes it."""
    session_store_url: str = ""
    """Where sessions are kept, a database URL. Default: `web.sqlite` in the state folder; workers on several machines share
    one PostgreSQL database."""
    session_key_file: Path | None = None
    """The key (32 bytes, mode 0600) that seals what is kept there; made with the store. Default: `web.key` in the state folder;
    workers on several machines need the same file. Keep it apart from copies of the store: together they open it."""
    report_days: Annotated[int, Field(ge=1, le=36_500)] = 1_095
    """How long reports of customers are kept, in days; the request of the customer to be erased ends it sooner."""
    answer_days: Annotated[int, Field(ge=1, le=365)] = 15
    """Within how many days a bank answers a customer's feedback: the time that she is told and that the log holds."""
    oidc_issuer: Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$")] = ""
    """Issuer of the identity provider. Default: none; in development, the embedded one."""
    oidc_client_id: str = "consent-ledger"
    """This ledger's client id at the identity provider."""
    oidc_client_key_file: Path | None = None
    """Private key (PEM, mode 0600) for `private_key_jwt`; its key id is `oidc_client_kid`."""
    oidc_client_kid: str = "consent-ledger-web"
    """Key id of the client key at the identity provider."""
    oidc_acr_values: str = ""
    """`acr` values, separated by spaces, asked for and demanded when a step needs a fresh strong sign-in. Default: any."""

    @model_validator(mode="after")
    def _fits_together(self) -> WebSettings:
        if self.environment == "production":
            if self.customers_file is not None or self.staff_file is not None:
                raise ValueError(
                    "customers_file and staff_file belong to the development identity provider: not in production"
                )
            if any(one.startswith("http://") for one in self.frame_ancestors):
                raise ValueError("frame_ancestors of a production service begin with https://")
            if self.oidc_issuer.startswith("http://"):
                raise ValueError("the issuer of a production identity provider begins with https://")
        if self.oidc_issuer and self.oidc_client_key_file is None:
            raise ValueError("oidc_client_key_file is needed to speak to the identity provider")
        return self
