"""`consent-ledger config show`: every setting that is in force, and where it comes from."""

from __future__ import annotations

from typing import Any

import typer
from sqlalchemy import make_url

from api.cli.saying import mention, result
from api.cli.shared import State, settings_and_origins
from api.node.configuration import setting_names

configurations = typer.Typer(help="Settings in force, and where each comes from.", no_args_is_help=True)


@configurations.command("show")
def config_show(state: State = None) -> None:
    """Every setting in force with its origin: default, file, environment or command line. Passwords are hidden."""
    settings, origins = settings_and_origins(state)
    told = {}
    for variable, path in sorted(setting_names().items()):
        value: Any = settings
        for name in path.split("."):
            value = getattr(value, name)
        if path == "web":
            continue
        shown = _shown(path, value)
        origin = origins.get(path, "default")
        told[path] = {"origin": origin, "value": shown, "variable": variable}
        mention(f"{path} = {shown}  ({origin})")
    result(settings=told)


def _shown(path: str, value: Any) -> str | int | bool | list[str] | None:
    if path.endswith("_url") and "://" in str(value) and not str(value).startswith("http"):
        return make_url(str(value)).render_as_string(hide_password=True)
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return value if value is None or isinstance(value, bool | int) else str(value)
