"""Every page of the consoles, and who is let in."""

from __future__ import annotations

from fastapi.routing import APIRoute

from api.web.app import CONSOLES
from api.web.console.doors import DOORS
from api.web.staff import StaffRole

ROUTES = [route for router in CONSOLES for route in router.routes if isinstance(route, APIRoute)]


def admitted(route: APIRoute) -> frozenset[StaffRole]:
    """The roles that a route's door lets in. A route without exactly one door is a hole."""
    doors = [DOORS[one.call] for one in route.dependant.dependencies if one.call in DOORS]
    assert len(doors) == 1, f"{route.path} has {len(doors)} doors"
    return doors[0]
