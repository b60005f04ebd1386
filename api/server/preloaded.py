"""The fork server: imports everything once, opens and starts nothing (see `fleet`)."""

from api.server.loading import load

load("api.server.fleet")
