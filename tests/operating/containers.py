"""Services of a compose file as processes of this machine, for a machine without Docker.

Each gets namespaces of its own: processes, mounts over a copy-on-write view of this machine's files, and a network address on a
bridge that leads nowhere else. What an image would bring comes from this machine: the checkout's environment, PostgreSQL of the
tests, Debian's nginx and Prometheus. Linux only, and root only. Everything of it ends with the process that made the network
(apart.py).

Not as in Docker: images, limits of memory, ports of the host, and starting anew what ended by itself.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.engines import postgres_programs
from tests.operating.compose import NETWORK, BadFile, File, Service

ROOT = Path(__file__).resolve().parents[2]
BRIDGE = "operating0"
PATIENCE = 180.0
"""Seconds for a service to become healthy, on a machine that does other things."""

COMMAND = re.compile(r"^CMD (\[.*\])$", re.MULTILINE)
GOSU = '#!/bin/sh\nuser=$1; shift\nexec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"\n'
POSTGRES = """
set -e
export PGDATA=/var/lib/postgresql/data PATH="$PROGRAMS:$PATH"
mkdir -p "$PGDATA"; chmod 700 "$PGDATA"; chown postgres:postgres "$PGDATA"
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  cp "$POSTGRES_PASSWORD_FILE" /tmp/password; chown postgres /tmp/password
  gosu postgres initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=/tmp/password -E UTF8 --no-locale $POSTGRES_INITDB_ARGS
  rm /tmp/password
  echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  gosu postgres pg_ctl -D "$PGDATA" -w start -o "-c listen_addresses=''" -l /tmp/making.log \\
    || { cat /tmp/making.log; exit 1; }
  gosu postgres createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
  for file in /docker-entrypoint-initdb.d/*.sh; do gosu postgres bash "$file"; done
  gosu postgres pg_ctl -D "$PGDATA" -w stop
fi
if [ "$1" = postgres ]; then set -- gosu postgres "$@"; fi
exec "$@"
"""
"""What the image of PostgreSQL does before it runs its command, as far as deploy/ relies on it."""


@dataclass(frozen=True)
class Made:
    """How a service is run here."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str = "/"


@dataclass(frozen=True)
class Machine:
    """What runs of one compose file."""

    file: File
    place: Path
    """Volumes, logs and process numbers."""

    # -- starting ---------------------------------------------------------------------------------------------------

    def up(self, names: Sequence[str]) -> None:
        """Start these services and what they need, each when what it needs is as it should be. Raises BadFile."""
        for service in self.file.in_order(names or self.file.usual()):
            if "grafana" in service.image:
                print("grafana is not on this machine: left out", file=sys.stderr)
                continue
            self._wait_for_needs(service)
            if self._completes(service):
                if (code := self.run(service, service.command)) != 0:
                    raise BadFile(f"{service.name} ended with {code}:\n{self.said(service.name)}")
                self._mark(service).touch()
            elif self._outer(service.name) is None:
                self._start(service)

    def _completes(self, service: Service) -> bool:
        """Whether others wait for its end."""
        conditions = (one.needs.get(service.name) for one in self.file.services.values())
        return "service_completed_successfully" in conditions

    def _wait_for_needs(self, service: Service) -> None:
        for name, condition in service.needs.items():
            if condition == "service_healthy":
                self._wait_until_healthy(self.file.services[name])

    def _wait_until_healthy(self, service: Service) -> None:
        end = time.monotonic() + PATIENCE
        while self.inside(service.name, service.health, quiet=True) != 0:
            if self._outer(service.name) is None or time.monotonic() > end:
                raise BadFile(f"{service.name} is not healthy:\n{self.said(service.name)}")
            time.sleep(0.3)

    def _start(self, service: Service) -> None:
        with (self._folder("logs") / service.name).open("ab") as log:
            process = subprocess.Popen(
                self._contained(service, service.command, service.name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self._folder("running") / service.name).write_text(str(process.pid))

    def run(self, service: Service, arguments: Sequence[str], *, entrypoint: str | None = None) -> int:
        """Run another command in a service's place, on this terminal; its exit status."""
        name = f"{service.name}-run-{os.getpid()}"
        return subprocess.run(self._contained(service, arguments, name, entrypoint=entrypoint), check=False).returncode

    # -- what runs ----------------------------------------------------------------------------------------------------

    def pid(self, name: str) -> int | None:
        """The number of a running service's first process, seen from outside; None while there is none."""
        outer = self._outer(name)
        try:
            children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return int(children[0]) if children else None

    def _outer(self, name: str) -> int | None:
        """The process that holds a service's namespaces, while it lives."""
        noted = self._folder("running") / name
        number = int(noted.read_text()) if noted.exists() else None
        return number if number is not None and _alive(number) else None

    def inside(self, name: str, command: Sequence[str], *, quiet: bool = False) -> int:
        """Run a command in a running service; its exit status."""
        pid, service = self.pid(name), self.file.services[name]
        if pid is None:
            return 1
        made = self._made(service, ())
        said = " ".join(f"{key}={shlex.quote(value)}" for key, value in made.environment.items())
        script = f"cd {made.folder}; exec env {said} {_as_user(service.user)} {shlex.join(command)}"
        enter = ["nsenter", "--target", str(pid), "--mount", "--net", "--pid", "--root", "sh", "-c", script]
        sink = subprocess.DEVNULL if quiet else None
        return subprocess.run(enter, check=False, stdout=sink, stderr=sink).returncode

    def stop(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a service; after its time of grace everything of it is gone."""
        service, pid = self.file.services[name], self.pid(name)
        if pid is None:
            return
        os.kill(pid, number)
        end = time.monotonic() + service.grace
        while _alive(pid):
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        (self._folder("running") / name).unlink(missing_ok=True)

    def running(self) -> list[str]:
        """The services that run."""
        return [path.name for path in sorted(self._folder("running").iterdir()) if self._outer(path.name) is not None]

    def said(self, name: str) -> str:
        """The end of what a service wrote."""
        log = self._folder("logs") / name
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    # -- how ------------------------------------------------------------------------------------------------------------

    def _folder(self, name: str) -> Path:
        (self.place / name).mkdir(parents=True, exist_ok=True)
        return self.place / name

    def _mark(self, service: Service) -> Path:
        return self._folder("completed") / service.name

    def _volume(self, service: Service, source: str) -> Path:
        if source.startswith("."):
            return (self.file.folder / source).resolve()
        path = self._folder("volumes") / source
        if not any(path.iterdir()) if path.exists() else True:
            path.mkdir(exist_ok=True)
            if service.user:  # as in the image, where the folder belongs to the user
                os.chown(path, *map(int, service.user.split(":")))
                path.chmod(0o700)
        return path

    def _made(self, service: Service, arguments: Sequence[str], entrypoint: str | None = None) -> Made:
        """What runs, by the image."""
        base = {"PATH": os.defpath + ":/usr/sbin:/sbin", "LANG": "C.UTF-8"} | dict(service.environment)
        if "postgres" in service.image:
            programs = postgres_programs()
            assert programs is not None
            mine = {"PROGRAMS": str(programs), "PGDATA": "/var/lib/postgresql/data"}
            path = {"PATH": f"/opt/stand-in:{programs}:{base['PATH']}"}
            return Made(("bash", "-c", POSTGRES, "postgres", *arguments), base | mine | path)
        if "nginx" in service.image:
            return Made(("nginx", "-e", "/dev/stderr", "-g", "daemon off;"), base)
        if "prometheus" in service.image:
            return Made(("prometheus", *arguments), base, "/prometheus")
        programs = postgres_programs()
        own = f"{ROOT / '.venv' / 'bin'}:{programs}:{base['PATH']}"
        more = {"PATH": own, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        usual = [] if entrypoint else json.loads(COMMAND.findall((ROOT / "Dockerfile").read_text())[-1])
        words = (entrypoint or "consent-ledger", *(arguments or usual))
        return Made(words, base | more, "/var/lib/consent-ledger")

    def _contained(
        self, service: Service, arguments: Sequence[str], name: str, *, entrypoint: str | None = None
    ) -> list[str]:
        """The command that makes the namespaces, mounts what belongs there, and becomes the service."""
        made = self._made(service, arguments, entrypoint)
        address = service.address if name == service.name else _free_address()
        root = self._folder("roots") / f"{name}-{time.monotonic_ns()}"
        lines = [
            "set -e; umask 022",
            f"mkdir -p {root}/upper {root}/work {root}/all",
            f"mount -t overlay overlay -o lowerdir=/,upperdir={root}/upper,workdir={root}/work {root}/all",
            f"cd {root}/all",
            "mount -t tmpfs -o mode=755 tmpfs root",  # closed to others, and the interpreter may lie there
            "mount -t proc proc proc; mount --rbind /dev dev",
            "mkdir -p opt/stand-in prometheus docker-entrypoint-initdb.d run/secrets var/lib/consent-ledger",
            "rm -f etc/nginx/sites-enabled/default",
            f"printf %s {shlex.quote(GOSU)} > opt/stand-in/gosu; chmod 755 opt/stand-in/gosu",
            f"printf '%s\\n' {shlex.quote(self._hosts())} > etc/hosts",
            # The number that PostgreSQL's image gives it: files of secrets belong to it.
            "sed -i '/^postgres:/d' etc/passwd etc/group",
            "echo postgres:x:999:999::/var/lib/postgresql:/bin/bash >> etc/passwd; echo postgres:x:999: >> etc/group",
            # A server of this machine's own may have left its socket and its lock there.
            "rm -rf run/postgresql; mkdir -p run/postgresql var/lib/postgresql",
            "chown 999:999 run/postgresql var/lib/postgresql",
        ]
        lines += [f"mkdir -p .{kept}; mount --rbind {kept} .{kept}" for kept in _elsewhere()]
        mounts = [(self._volume(service, source), target, only) for source, target, only in service.mounts]
        mounts += [(self.file.secrets[secret], f"/run/secrets/{secret}", False) for secret in service.secrets]
        for source, target, only in mounts:
            kept_source = self._suited(source, service)
            made_place = (
                f"mkdir -p .{target}" if source.is_dir() else f"mkdir -p .{Path(target).parent}; touch .{target}"
            )
            lines.append(f"{made_place}; mount --bind {kept_source} .{target}")
            lines += [f"mount -o remount,bind,ro .{target}"] if only else []
        lines += [f"mount -t tmpfs tmpfs .{target}" for target in service.tmpfs if target != "/tmp" or not _in_tmp()]
        if service.read_only:
            lines.append("mount -o remount,ro .")
        environment = " ".join(f"{key}={shlex.quote(value)}" for key, value in made.environment.items())
        command = f"{_as_user(service.user)} {shlex.join(made.argv)}"
        final = f"cd {made.folder}; exec env -i {environment} {command}"
        lines.append(f"exec chroot . /bin/sh -c {shlex.quote(final)}")
        network = _network(address)
        return [
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--propagation",
            "private",
            "bash",
            "-c",
            f"{network}\n" + "\n".join(lines),
        ]

    def _hosts(self) -> str:
        named = [f"{service.address} {service.name}" for service in self.file.services.values()]
        return "\n".join(["127.0.0.1 localhost", *named])

    def _suited(self, source: Path, service: Service) -> Path:
        """A configuration as this machine's program takes it: an older nginx spells HTTP/2 otherwise."""
        if "nginx" not in service.image or source.suffix != ".conf" or "1.18" <= _nginx() >= "1.25.1":
            return source
        text = source.read_text().replace("listen 443 ssl;", "listen 443 ssl http2;").replace("    http2 on;\n", "")
        copy = self._folder("suited") / source.name
        copy.write_text(text)
        return copy


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _as_user(user: str | None) -> str:
    if user is None:
        return ""
    uid, gid = user.split(":")
    return f"setpriv --reuid {uid} --regid {gid} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all"


def _nginx() -> str:
    said = subprocess.run(["nginx", "-v"], check=True, capture_output=True, text=True).stderr
    return said.strip().rpartition("/")[2].split()[0]


def _in_tmp() -> bool:
    return str(ROOT).startswith("/tmp/")


def _elsewhere() -> list[str]:
    """Folders that the service needs and that the view of the root's files does not show."""
    device = Path("/").stat().st_dev
    needed = {str(ROOT), sys.base_prefix, str(Path(sys.prefix).resolve())}
    return sorted(path for path in needed if path.startswith("/root/") or Path(path).stat().st_dev != device)


def _free_address() -> str:
    """For a command of its own: above the services' own, different for each process."""
    return f"{NETWORK}.{60 + os.getpid() % 190}"


def _network(address: str) -> str:
    """Commands that join the bridge. The other end of the pair is moved to where the bridge is: process 1 of apart.py."""
    inner, outer = "eth0", f"v{os.getpid()}x{time.monotonic_ns() % 100000}"[:15]
    return "\n".join(
        [
            "set -e",
            f"ip link add {outer} type veth peer name {inner}",
            f"ip link set {outer} netns /proc/{os.environ['OPERATING_NETWORK']}/ns/net",
            f"nsenter --net=/proc/{os.environ['OPERATING_NETWORK']}/ns/net ip link set {outer} master {BRIDGE} up",
            f"ip address add {address}/24 dev {inner}; ip link set {inner} up; ip link set lo up",
        ]
    )


def required() -> list[str]:
    """Programs that are missing here."""
    programs = ("ip", "unshare", "nsenter", "setpriv", "nginx", "prometheus", "promtool", "openssl")
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    return [name for name in programs if shutil.which(name, path=path) is None]
