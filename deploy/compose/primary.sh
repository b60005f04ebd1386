#!/usr/bin/env bash
# Run once by the image of PostgreSQL, when the primary's database is made: the roles of the
# service and of the standby, and the key store's database.
set -euo pipefail
psql -v ON_ERROR_STOP=1 -v replication="$(cat /run/secrets/replication_password)" \
  -v service="$(cat /run/secrets/service_password)" -U "$POSTGRES_USER" -d "$POSTGRES_DB" << 'SQL'
SET synchronous_commit = local;  -- there is no standby yet
CREATE ROLE replication LOGIN REPLICATION PASSWORD :'replication';
CREATE ROLE ledger_service LOGIN PASSWORD :'service';
CREATE DATABASE ledger_keys;
SQL
echo "host replication replication samenet scram-sha-256" >> "$PGDATA/pg_hba.conf"
