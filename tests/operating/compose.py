"""deploy/compose/compose.yaml as data: variables filled in, services in the order in which they may be started."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

VARIABLE = re.compile(r"\$\{(\w+)(?:(:[?-])([^}]*))?\}")
NETWORK = "10.77.0"
FIRST = 20
"""Host number of the first service that asks for no address of its own."""


class BadFile(Exception):
    """The file cannot be used as it is; the reason is for whoever wrote it."""


def variables(folder: Path) -> dict[str, str]:
    """What stands in `.env`."""
    lines = (folder / ".env").read_text().splitlines() if (folder / ".env").exists() else []
    pairs = (line.split("=", 1) for line in lines if line.strip() and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def filled(value: Any, known: Mapping[str, str]) -> Any:
    """A value with its `${NAME}`, `${NAME:-default}`, `${NAME:?why it is needed}` replaced. Raises BadFile."""

    def replaced(found: re.Match[str]) -> str:
        name, kind, word = found.groups()
        if known.get(name):
            return known[name]
        if kind == ":?":
            raise BadFile(f"{name} is not set: {word}")
        return word or ""

    if isinstance(value, str):
        return VARIABLE.sub(replaced, value)
    if isinstance(value, list):
        return [filled(each, known) for each in value]
    if isinstance(value, dict):
        return {key: filled(each, known) for key, each in value.items()}
    return value


@dataclass(frozen=True)
class Service:
    """One service, read."""

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: tuple[tuple[str, str, bool], ...]
    """(source, target, whether it is for reading only): a source that begins with a dot is a path beside the file, any other a
    named volume."""
    secrets: tuple[str, ...]
    needs: Mapping[str, str]
    """Service → condition."""
    health: tuple[str, ...]
    """A command that says whether it is healthy; empty if nobody asks."""
    user: str | None
    read_only: bool
    tmpfs: tuple[str, ...]
    profiles: tuple[str, ...]
    address: str
    grace: float
    """Seconds between the signal to stop and the end of patience."""


@dataclass(frozen=True)
class File:
    """A compose file, read."""

    name: str
    folder: Path
    services: Mapping[str, Service]
    secrets: Mapping[str, Path]

    @classmethod
    def read(cls, folder: Path) -> File:
        """The file of a folder, with its `.env`. Raises BadFile."""
        said = yaml.safe_load((folder / "compose.yaml").read_text())
        known = variables(folder)
        services = {}
        for number, (name, raw) in enumerate(said["services"].items()):
            services[name] = _service(name, filled(raw, known), f"{NETWORK}.{FIRST + number}")
        secrets = {name: folder / one["file"] for name, one in said.get("secrets", {}).items()}
        return cls(said["name"], folder, services, secrets)

    def in_order(self, wanted: Iterable[str], *, alone: bool = False) -> list[Service]:
        """The services wanted and, unless `alone`, all that they need, each after what it needs. Raises BadFile."""
        order: dict[str, Service] = {}

        def add(name: str, above: tuple[str, ...]) -> None:
            if name not in self.services:
                raise BadFile(f"no such service: {name}")
            if name in above:
                raise BadFile(f"{name} needs itself")
            service = self.services[name]
            for need in () if alone else service.needs:
                add(need, (*above, name))
            order.setdefault(name, service)

        for name in wanted:
            add(name, ())
        return list(order.values())

    def usual(self) -> list[str]:
        """What `up` starts when nothing is named."""
        return [name for name, service in self.services.items() if not service.profiles]


def _service(name: str, raw: dict[str, Any], address: str) -> Service:
    command = raw.get("command", [])
    needs = raw.get("depends_on", {})
    networks = raw.get("networks", [])
    asked = [one.get("ipv4_address") for one in networks.values()] if isinstance(networks, dict) else []
    return Service(
        name=name,
        image=raw["image"],
        command=tuple(shlex.split(command) if isinstance(command, str) else command),
        environment={key: str(value) for key, value in raw.get("environment", {}).items()},
        mounts=tuple(_mount(one) for one in raw.get("volumes", [])),
        secrets=tuple(raw.get("secrets", [])),
        needs={need: needs[need]["condition"] if isinstance(needs, dict) else "service_started" for need in needs},
        health=_health(raw.get("healthcheck") or {}),
        user=raw.get("user"),
        read_only=bool(raw.get("read_only")),
        tmpfs=tuple(raw.get("tmpfs", [])),
        profiles=tuple(raw.get("profiles", [])),
        address=next((one for one in asked if one), address),
        grace=float(str(raw.get("stop_grace_period", "10s")).removesuffix("s")),
    )


def _mount(said: str) -> tuple[str, str, bool]:
    source, target, *rest = said.split(":")
    return source, target, rest == ["ro"]


def _health(raw: dict[str, Any]) -> tuple[str, ...]:
    if raw.get("disable") or "test" not in raw:
        return ()
    kind, *words = raw["test"]
    return ("sh", "-c", *words) if kind == "CMD-SHELL" else tuple(words)
