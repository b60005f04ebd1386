"""`consent-ledger gateway`: the commands of outward standards (docs/standards/gateway.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.participants import warn_of_likeness
from api.cli.saying import mention, say
from api.cli.shared import State, node_of, told_in_a_sentence
from api.office.configuration import read_gateway_file, write_gateway_file
from api.office.gateway import HOLDER_ACTS, RECIPIENT_ACTS, delegate, make_gateway, make_sm4_key, register_redirect
from api.office.setup import plan_setup, read_setup
from ledger.errors import NotFound

gateways = typer.Typer(help="The gateway of outward standards.", no_args_is_help=True)


@gateways.command("init")
def gateway_init(
    participant: Annotated[str, typer.Argument(help="Participant id of the gateway.")] = "gateway",
    name: Annotated[
        str, typer.Option(help="The legal name of the party that answers for it.")
    ] = "Gateway of this ledger",
    state: State = None,
) -> None:
    """Make the gateway's keys, register it as a technology provider, and write gateway.json."""
    with node_of(state) as node:
        file = make_gateway(node.ledger, node.settings.gateway_file, participant, name)
    said = f"{file.participant} signs with {file.kid}. Start the servers anew to serve standards."
    say(
        f"{node.settings.gateway_file}: {said}",
        file=str(node.settings.gateway_file),
        kid=file.kid,
        participant=file.participant,
    )


@gateways.command("setup")
def gateway_setup(
    file: Annotated[Path, typer.Argument(help="What there is to be: a TOML file.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="They are meant, although one can be taken for a registered one.")
    ] = False,
    state: State = None,
) -> None:
    """Make everything that a gateway needs and that is missing: keys, participants, delegations, gateway.json.

    Have the participants' own word for what they delegate before you do so. A second run finds nothing to do.
    """
    with told_in_a_sentence():
        setup = read_setup(file)
    with node_of(state) as node:
        path = node.settings.gateway_file
        made = not path.exists()
        if made:
            make_gateway(node.ledger, path, setup.gateway.id, setup.gateway.name)
        present = read_gateway_file(path)
        plan = plan_setup(setup, file.parent, node.ledger.registry, present)
        warn_of_likeness(plan.documents, node.ledger.registry, force=force)
        if plan.documents:
            node.ledger.record_documents(*plan.documents)
        if plan.file != present:
            write_gateway_file(path, plan.file)
    changed = made or bool(plan.documents) or plan.file != present
    for document in plan.documents:
        mention(f"{document['participant']}: {document['type']}")
    said = "Start the servers anew to serve standards." if changed else "nothing to do"
    say(f"{path}: {said}", changed=changed, file=str(path), recorded=len(plan.documents))


@gateways.command("delegate")
def gateway_delegate(
    participant: Annotated[str, typer.Argument(help="The recipient or holder that lets the gateway act for it.")],
    act: Annotated[list[str] | None, typer.Option(help="An act; repeatable. Default: what the standards need.")] = None,
    state: State = None,
) -> None:
    """Record that a participant lets the gateway sign acts for it. Have its own signed word for that before you do so."""
    with node_of(state) as node:
        if node.office is None:
            raise NotFound("there is no gateway; «consent-ledger gateway init» makes it")
        roles = node.ledger.registry.participant(participant).roles
        needed = (RECIPIENT_ACTS if "recipient" in roles else ()) + (HOLDER_ACTS if "holder" in roles else ())
        acts = tuple(sorted(set(act or needed)))
        index = delegate(node.ledger, participant, node.office.gateway.participant, acts)
    say(
        f"{participant}: entry {index} lets the gateway sign {', '.join(acts)}",
        acts=list(acts),
        index=index,
        participant=participant,
    )


@gateways.command("redirect")
def gateway_redirect(
    participant: Annotated[str, typer.Argument(help="The recipient.")],
    address: Annotated[str, typer.Argument(help="An https address, compared as text.")],
    state: State = None,
) -> None:
    """Register an address that a recipient's customers may be sent back to after they agreed. Start the servers anew."""
    with node_of(state) as node:
        roles = node.ledger.registry.participant(participant).roles
        if "recipient" not in roles:
            raise NotFound(f"{participant} is not a recipient")
        register_redirect(node.settings.gateway_file, participant, address)
    say(f"{participant}: customers may be sent back to {address}", address=address, participant=participant)


@gateways.command("sm4-key")
def gateway_sm4_key(participant: Annotated[str, typer.Argument(help="The recipient.")], state: State = None) -> None:
    """Make the key under which bodies to and from a recipient may be encrypted with SM4. Start the servers anew."""
    with node_of(state) as node:
        if "recipient" not in node.ledger.registry.participant(participant).roles:
            raise NotFound(f"{participant} is not a recipient")
        path = make_sm4_key(node.settings.gateway_file, participant)
    say(f"{path}: hand it to {participant} on a way that nobody else sees", file=str(path), participant=participant)
