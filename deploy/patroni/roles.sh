#!/usr/bin/env bash
# Run once by Patroni, on the first primary ($1: how to connect): the ledger's roles and databases. Passwords come from the
# environment, as Patroni's do (machine.env.example).
set -euo pipefail
psql -v ON_ERROR_STOP=1 -v owner="$LEDGER_OWNER_PASSWORD" -v service="$LEDGER_SERVICE_PASSWORD" "$1" << 'SQL'
SET synchronous_commit = local;  -- there is no standby yet
CREATE ROLE ledger LOGIN PASSWORD :'owner';
CREATE ROLE ledger_service LOGIN PASSWORD :'service';
CREATE DATABASE ledger OWNER ledger;
CREATE DATABASE ledger_keys OWNER ledger;
\connect ledger
SET synchronous_commit = local;
CREATE EXTENSION amcheck;        -- `check` compares indexes and tables with it; `migrate --role` lets the service's role use it
\connect ledger_keys
SET synchronous_commit = local;
CREATE EXTENSION amcheck;
SQL
