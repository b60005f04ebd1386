"""An operator's year in an hour: deploy/ stood up, turned, hurt and restored (scripts/operate).

__main__.py     the operator: what docs/deploying.md and docs/operating.md say, in their order, and what must hold after each
boards.py       the dashboard's own queries, asked of the Prometheus that deploy/ sets up
compose.py      deploy/compose/compose.yaml as data
containers.py   its services as processes of this machine, each in namespaces of its own, where there is no Docker
docker.py       the few commands of Docker that the documents use, on top of that
"""
