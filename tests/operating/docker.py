"""The few commands of Docker that the documents use, for a machine without it: `docker` on the PATH of scripts/operate.

docker compose [--profile P]… up [-d] [SERVICE…] · run [--rm] [--no-deps] [-T] [--entrypoint E] SERVICE [ARGUMENTS…]
               exec [-T] SERVICE COMMAND… · stop|kill [SERVICE…] · down [-v] · ps · logs SERVICE
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from tests.operating.compose import BadFile, File
from tests.operating.containers import Machine


def main(arguments: list[str]) -> int:
    """The exit status."""
    if arguments[:1] != ["compose"]:
        print(f"only «docker compose» is known here, not «docker {' '.join(arguments)}»", file=sys.stderr)
        return 125
    words, options = _split(arguments[1:], {"--profile", "--entrypoint"})
    try:
        machine = Machine(File.read(Path.cwd()), Path(os.environ["OPERATING_FOLDER"]) / "place")
        return _do(machine, words, options)
    except BadFile as error:
        print(error, file=sys.stderr)
        return 1


def _do(machine: Machine, words: list[str], options: dict[str, str]) -> int:
    verb, *names = words
    if verb == "up":
        machine.up(names)
    elif verb == "run":
        service, *arguments = names
        if "--no-deps" not in options:
            machine.up(list(machine.file.services[service].needs))
        entrypoint = options.get("--entrypoint")
        given = arguments or ([] if entrypoint else list(machine.file.services[service].command))
        return machine.run(machine.file.services[service], given, entrypoint=entrypoint)
    elif verb == "exec":
        return machine.inside(names[0], names[1:])
    elif verb in ("stop", "kill"):
        for name in names or machine.running()[::-1]:
            machine.stop(name, signal.SIGTERM if verb == "stop" else signal.SIGKILL)
    elif verb == "down":
        for name in machine.running()[::-1]:
            machine.stop(name, signal.SIGTERM)
        if "-v" in options:
            shutil.rmtree(machine.place / "volumes", ignore_errors=True)
    elif verb == "ps":
        print("\n".join(machine.running()))
    elif verb == "logs":
        print(machine.said(names[0]))
    else:
        raise BadFile(f"«docker compose {verb}» is not known here")
    return 0


def _split(arguments: list[str], valued: set[str]) -> tuple[list[str], dict[str, str]]:
    """Words and options, as far as the options go: what follows the service's name is its command's."""
    words: list[str] = []
    options: dict[str, str] = {}
    rest = list(arguments)
    stops = 1
    while rest:
        each = rest.pop(0)
        if each.startswith("-") and len(words) <= stops:
            options[each] = rest.pop(0) if each in valued else ""
        else:
            words.append(each)
            if len(words) == 1:
                stops = 1 if each in ("run", "exec") else 99
            if len(words) == 2 and words[0] in ("run", "exec"):
                return words + rest, options
    return words, options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
