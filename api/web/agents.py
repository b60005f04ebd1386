"""Who signs for which bank's customers here, and how participants are reached: read from the files that settings name."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from api.node.web_settings import WebSettings
from api.web.agent import HolderAgent, HoldersFile, LocalAgent
from api.web.agent_remote import RemoteAgent
from ledger.clock import Clock
from ledger.entries.fields import ParticipantId, Text
from ledger.secrets import read_secret


def read_agents(web: WebSettings, origin: str, clock: Clock) -> Mapping[str, HolderAgent]:
    """By bank, who signs for it. Raises NotFound or InvalidInput for missing or unfit key files."""
    if web.holders_file is None:
        return {}
    folder = web.holders_file.parent
    agents: dict[str, HolderAgent] = {}
    for entry in msgspec.json.decode(web.holders_file.read_bytes(), type=HoldersFile).holders:
        if entry.url:
            token = read_secret(folder / entry.token_file).decode().strip()
            agents[entry.holder] = RemoteAgent(entry.holder, entry.url, token)
        else:
            agents[entry.holder] = LocalAgent.load(entry, folder, origin, clock)
    return agents


def read_contacts(web: WebSettings) -> Mapping[str, str]:
    """By participant, how to reach it, in its own words."""
    if web.contacts_file is None:
        return {}
    return msgspec.json.decode(web.contacts_file.read_bytes(), type=dict[ParticipantId, Text])
