"""What an operator can set about notices to customers: `CONSENT_LEDGER_NOTICES__…` (docs/notices.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NoticeSettings(BaseModel):
    """Where notices to customers leave. Secrets are files, never values. Default: nobody is told anything."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    smtp_host: str = ""
    """Mail server that takes notices by e-mail. Default: no e-mail."""
    smtp_port: Annotated[int, Field(ge=1, le=65_535)] = 587
    """Its port."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` or `tls`; `none` only for a mail server on this machine."""
    smtp_user: str = ""
    """Who signs in at the mail server. Default: nobody does."""
    smtp_password_file: Path | None = None
    """The password (mode 0600)."""
    mail_from: Annotated[str, Field(pattern=r"^([A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+)?$")] = ""
    """Address that notices come from; needed with `smtp_host`."""
    sms_url: str = ""
    """Address (https) that takes text messages to send on: the bank's own gateway knows the numbers. Default: none."""
    push_url: str = ""
    """Address (https) that takes notices for the bank's own app. Default: none."""
    hook_secret_file: Path | None = None
    """At least 32 bytes (mode 0600): signs what goes to `sms_url` and `push_url`; needed with either."""

    @model_validator(mode="after")
    def _fits_together(self) -> NoticeSettings:
        if self.smtp_host and not self.mail_from:
            raise ValueError("mail_from is needed with smtp_host: the address that notices come from")
        if self.smtp_host and self.smtp_security == "none" and self.smtp_host not in LOOPBACK:
            raise ValueError(
                f"refusing to send mail to {self.smtp_host} in the open: set smtp_security to starttls or tls"
            )
        if bool(self.smtp_user) != (self.smtp_password_file is not None):
            raise ValueError("smtp_user and smtp_password_file go together")
        if (self.sms_url or self.push_url) and self.hook_secret_file is None:
            raise ValueError(
                "hook_secret_file is needed with sms_url or push_url: whoever receives must know who sends"
            )
        return self
