#!/usr/bin/env bash
# Run once by the image of PostgreSQL, when the primary's database is made: the roles of the
# service and of the standby, the key store's database, and what `check` looks at tables with.
set -euo pipefail
replication=$(cat /run/secrets/replication_password)   # one that cannot be read ends this here
service=$(cat /run/secrets/service_password)
psql -v ON_ERROR_STOP=1 -v replication="$replication" -v service="$service" -U "$POSTGRES_USER" -d "$POSTGRES_DB" << 'SQL'
SET synchronous_commit = local;  -- there is no standby yet
CREATE ROLE replication LOGIN REPLICATION PASSWORD :'replication';
CREATE ROLE ledger_service LOGIN PASSWORD :'service';
CREATE DATABASE ledger_keys;
CREATE EXTENSION amcheck;        -- `check` compares indexes and tables with it; `migrate --role` lets the service's role use it
\connect ledger_keys
SET synchronous_commit = local;
CREATE EXTENSION amcheck;
SQL
echo "host replication replication samenet scram-sha-256" >> "$PGDATA/pg_hba.conf"
