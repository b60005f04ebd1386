"""What a node's processes are forked from: everything is imported here once, nothing is opened or started (api/fleet.py)."""

from api.loading import load

load("api.fleet")
