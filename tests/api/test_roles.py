"""PostgreSQL's roles: the service's own can append to the log and no more, and a start says when it can."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.node.building import short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from ledger.engines import postgres
from ledger.errors import InvalidInput
from tests.engines import Server
from tests.world import World

pytestmark = pytest.mark.postgres


@dataclass(frozen=True)
class Site:
    """A log of an owner, with a key store in the same database, and a role for the service."""

    owner: Settings
    service: Settings
    role: str


@pytest.fixture
def site(postgres_server: Server, postgres_url: str, tmp_path: Path) -> Iterator[Site]:
    role = f"ledger service {uuid.uuid4().hex[:8]}"
    name = sql.Identifier(role)
    with postgres_server.connect() as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    as_role = postgres_url.replace("postgres@", role.replace(" ", "%20") + "@", 1)
    state = tmp_path / "state"
    owner = Settings(state_dir=state, database_url=postgres_url, keystore_url=postgres_url)
    initialise(owner, "ledger.example/roles")
    yield Site(owner, Settings(state_dir=state, database_url=as_role, keystore_url=as_role), role)
    with postgres_server.connect(postgres_url.rsplit("/", maxsplit=1)[-1].split("?", maxsplit=1)[0]) as admin:
        admin.execute(sql.SQL("DROP OWNED BY {}").format(name))
        admin.execute(sql.SQL("DROP ROLE {}").format(name))


def run(settings: Settings, *arguments: str) -> Result:
    environment = {
        "CONSENT_LEDGER_DATABASE_URL": settings.database_url,
        "CONSENT_LEDGER_KEYSTORE_URL": settings.keystore_url,
    }
    return CliRunner().invoke(app, [*arguments, "--state", str(settings.state_dir)], env=environment)


def weaknesses(settings: Settings) -> list[str]:
    with short_lived(settings) as node:
        return node.ledger.store.weaknesses()


def test_after_migrate_the_services_role_does_its_work_and_can_rewrite_nothing(site: Site) -> None:
    migrated = run(site.owner, "migrate", "--role", site.role)
    assert migrated.exit_code == 0, migrated.output
    with short_lived(site.service) as node:
        assert node.ledger.store.weaknesses() == []
        world = World(node.ledger)
        recipient, holder = world.recipient(), world.holder()
        consent = world.active_consent(recipient, holder)
        world.record(recipient.access(consent))
        world.record(holder.step("revoke", consent))
    checked = run(site.service, "check")
    assert checked.exit_code == 0, checked.output
    for table in ("entries", "tiles", "checkpoints"):
        for statement in (
            f"ALTER TABLE {table} DISABLE TRIGGER ALL",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"DROP TABLE {table}",
            f"ALTER TABLE {table} ADD COLUMN more int",
            f"CREATE TRIGGER t BEFORE INSERT ON {table} EXECUTE FUNCTION f()",
        ):
            denied(site.service.database_url, statement)
    for statement in (
        "UPDATE entries SET leaf = leaf",
        "UPDATE checkpoints SET note = note",
        "UPDATE tiles SET content = content",
        "DELETE FROM data_keys",
        "TRUNCATE data_keys",
        "UPDATE alembic_version SET version_num = '0001'",
        "CREATE TABLE public.more (x int)",
        "SET session_replication_role = replica",
    ):
        denied(site.service.database_url, statement)


def denied(url: str, statement: str) -> None:
    engine = create_engine(url)
    try:
        with pytest.raises(DBAPIError) as refusal, engine.begin() as connection:
            connection.exec_driver_sql(statement)
        assert isinstance(refusal.value.orig, psycopg.errors.InsufficientPrivilege), statement
    finally:
        engine.dispose()


def test_a_start_says_what_the_services_role_can_do_too_much(site: Site, postgres_server: Server) -> None:
    assert "is a superuser" in weaknesses(site.owner)[0]
    run(site.owner, "migrate", "--role", site.role)
    database = site.owner.database_url.rsplit("/", maxsplit=1)[-1].split("?", maxsplit=1)[0]
    with postgres_server.connect(database) as admin:
        admin.execute(sql.SQL("GRANT UPDATE ON checkpoints TO {}").format(sql.Identifier(site.role)))
    [said] = weaknesses(site.service)
    assert "can change or delete rows of checkpoints" in said
    assert "migrate --role" in said
    assert run(site.owner, "migrate", "--role", site.role).exit_code == 0
    assert weaknesses(site.service) == []


@pytest.mark.parametrize(("role", "saying"), [("nobody at all", "there is no role"), ("postgres", "is a superuser")])
def test_a_role_from_which_nothing_can_be_taken_is_refused(site: Site, role: str, saying: str) -> None:
    refused = run(site.owner, "migrate", "--role", role)
    assert refused.exit_code == 1
    assert saying in refused.stderr


def test_the_role_cannot_migrate(site: Site) -> None:
    run(site.owner, "migrate", "--role", site.role)
    refused = run(site.service, "migrate", "--role", site.role)
    assert refused.exit_code == 1
    assert "only the owner" in refused.stderr


def test_a_server_that_does_not_force_its_disk_is_refused() -> None:
    class Lax:
        """A server's answer that a test cannot have from a shared one without a restart."""

        def exec_driver_sql(self, statement: str) -> Lax:
            self.asked = statement
            return self

        def scalar_one(self) -> str:
            return "off" if self.asked == "SHOW fsync" else "on"

    with pytest.raises(InvalidInput, match=r"fsync=off.*acknowledged are lost"):
        postgres.weaknesses(Lax())  # type: ignore[arg-type]
