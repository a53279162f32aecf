"""Containers for tests of the registrar: recorded ones, and invented ones with what does not matter
filled in.
"""

import json
from pathlib import Path
from typing import Any

from register.docker.container import Binding, Container, Port
from register.docker.parse import parse_inspect

DATA = Path(__file__).parent.parent / "data"
INSPECT = DATA / "inspect"
ID = "3f" * 32


def recorded(name: str) -> dict[str, Any]:
    """Return what Docker 20.10 said of a container; the file's name tells which kind it is."""
    document: dict[str, Any] = json.loads((INSPECT / f"{name}.json").read_text())
    return document


def recorded_container(name: str) -> Container:
    return parse_inspect(recorded(name))


def published(*ports: int, host_ip: str = "0.0.0.0") -> tuple[Binding, ...]:
    """Return bindings of these ports, each to the host port 30000 higher."""
    return tuple(Binding(Port(port), host_ip, 30000 + port) for port in ports)


def container(**changes: Any) -> Container:
    """Return a running container `web-1` of the image `whoami`, publishing port 8000."""
    base: dict[str, Any] = {
        "id": ID,
        "name": "web-1",
        "image": "registry.example:5000/team/whoami:1.2",
        "started_ns": 1_000_000_000,
        "bindings": published(8000),
    }
    return Container(**(base | changes))
