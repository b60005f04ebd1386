"""What a node's processes are forked from: everything is imported here once, nothing is opened or started (see `fleet`)."""

from api.server.loading import load

load("api.server.fleet")
