"""The framework's own telemetry of requests: none."""

from __future__ import annotations

from typing import Final

from fastapi.telemetry import TelemetryConfig

NO_TELEMETRY: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""For every `FastAPI(telemetry=…)`. Its spans would hold addresses, and so ids of consents, whatever the environment of the
process says (`FASTAPI_OTEL_AUTO_CONFIGURE`); None does not switch them off. Traces are ours: api/server/tracing.py."""
