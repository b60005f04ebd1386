"""Where settings come from: defaults, a TOML file, the environment, the command line; each overrides the ones before it.

An unknown name is refused: if it were ignored, a misspelling would be noticed on the day the setting was needed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel

from api.node.settings import Settings
from ledger.errors import InvalidInput, NotFound

PREFIX: Final = "CONSENT_LEDGER_"
CONFIG: Final = PREFIX + "CONFIG"
"""Names the TOML file."""
OTHERS: Final = frozenset({CONFIG, PREFIX + "PARTICIPANT_DIR"})
"""Read by the command line itself."""
Origin = Literal["default", "file", "environment", "command line"]


def setting_names() -> dict[str, str]:
    """Every setting by its environment variable: `CONSENT_LEDGER_WEB__OIDC_ISSUER` → `web.oidc_issuer`."""
    return dict(_names(Settings, PREFIX, ""))


def _names(model: type[BaseModel], prefix: str, path: str) -> Iterable[tuple[str, str]]:
    for name, field in model.model_fields.items():
        yield prefix + name.upper(), path + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _names(field.annotation, f"{prefix}{name.upper()}__", f"{path}{name}.")


def read_settings(
    given: Mapping[str, Any], environment: Mapping[str, str], config: Path | None = None
) -> tuple[Settings, dict[str, Origin]]:
    """The settings, and where each that was set comes from (those left out are defaults).

    `given`: from the command line. `config`: the TOML file, by default the one that the environment names. Raises
    InvalidInput and NotFound for names and files that are not known, what pydantic raises for values that do not fit.
    """
    names = setting_names()
    said = {name.upper() for name in environment if name.upper().startswith(PREFIX)}
    for name in sorted(said - names.keys() - OTHERS):
        raise InvalidInput(f"the environment sets {name}, which is not a setting{_nearest(name, [*names, *OTHERS])}")
    if config is None and environment.get(CONFIG):
        config = Path(environment[CONFIG])
    file = {} if config is None else _read(config, names)
    origins: dict[str, Origin] = dict.fromkeys(_paths(file), "file")
    origins |= dict.fromkeys((names[name] for name in said & names.keys()), "environment")
    origins |= dict.fromkeys(given, "command line")
    over = {path for path, origin in origins.items() if origin != "file"}
    return Settings(**{**_without(file, over, ""), **given}), origins


def _read(config: Path, names: Mapping[str, str]) -> dict[str, Any]:
    try:
        said = tomllib.loads(config.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFound(f"the configuration file {config} does not exist") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{config} is not TOML: {error}") from None
    known = set(names.values())
    for path in _paths(said):
        if path not in known:
            raise InvalidInput(f"{config} sets {path}, which is not a setting{_nearest(path, known)}")
    return said


def _paths(said: Mapping[str, Any], above: str = "") -> list[str]:
    """The settings that a file names. A table is the group of settings of its name."""
    found = []
    for name, value in said.items():
        found += _paths(value, f"{above}{name}.") if isinstance(value, dict) else [above + name]
    return found


def _without(said: Mapping[str, Any], over: set[str], above: str) -> dict[str, Any]:
    """The file's settings that nothing overrides."""
    kept = {}
    for name, value in said.items():
        if above + name in over:
            continue
        kept[name] = _without(value, over, f"{above}{name}.") if isinstance(value, dict) else value
    return kept


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else " (docs/operating.md, «Settings»)"
