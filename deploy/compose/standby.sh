#!/usr/bin/env bash
# A standby: taken from the primary when its folder is empty, then followed for ever. $1: its name in synchronous_standby_names.
set -euo pipefail
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  install -d -o postgres -g postgres -m 0700 "$PGDATA"
  PGPASSWORD=$(cat /run/secrets/replication_password) gosu postgres pg_basebackup \
    --host postgres-1 --username replication --pgdata "$PGDATA" --wal-method stream --checkpoint fast
  password=$(cat /run/secrets/replication_password)
  printf "primary_conninfo = 'host=postgres-1 user=replication password=%s application_name=%s'\n" "$password" "$1" \
    >> "$PGDATA/postgresql.auto.conf"
  touch "$PGDATA/standby.signal"
  chown postgres:postgres "$PGDATA/postgresql.auto.conf" "$PGDATA/standby.signal"
fi
exec gosu postgres postgres -c hot_standby=on -c synchronous_commit=on \
  -c "synchronous_standby_names=ANY 1 (standby_1, standby_2)"
