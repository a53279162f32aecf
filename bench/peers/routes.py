"""Where calls go: the ways to the instance, and the port that each side has for each of them."""

from dataclasses import dataclass
from enum import Enum

from bench.peers.wire import THERE

INSTANCE_PORT = 9850
INSTANCE_H2C_PORT = 9851
SMALL = "/"
LARGE = "/large"
LARGE_BYTES = 64 * 1024


class Side(Enum):
    """What stands between client and instance; the value is the first of its ports."""

    DIRECT = INSTANCE_PORT
    TCP = 9800
    HTTP = 9810
    HAPROXY = 9820
    NGINX = 9830
    CADDY = 9840
    ALWAYS = 9860

    def __str__(self) -> str:
        return _NAMES[self]


_NAMES = {
    Side.DIRECT: "direct",
    Side.TCP: "Tandem tcp",
    Side.HTTP: "Tandem http",
    Side.HAPROXY: "HAProxy, reuse safe",
    Side.NGINX: "nginx, keepalive",
    Side.CADDY: "Caddy",
    Side.ALWAYS: "Tandem http, reuse always",
}
# How far beside a route's port the instance listens for a side of Tandem: to Tandem what is
# published by two services is a mistake.
TWIN_OFFSETS = {Side.HTTP: 0, Side.TCP: 2, Side.ALWAYS: 4}


@dataclass(frozen=True, slots=True)
class Route:
    """One way to the instance: its place, what it speaks, and the offset of its port at a side."""

    name: str
    host: str
    port: int
    offset: int
    h2c: bool = False

    def port_at(self, side: Side) -> int:
        """Return where a side offers this route."""
        return int(side.value) + self.offset


NEAR = Route("near", "127.0.0.1", INSTANCE_PORT, 0)
H2C = Route("h2c", "127.0.0.1", INSTANCE_H2C_PORT, 1, h2c=True)
FAR = Route("far", THERE, INSTANCE_PORT, 2)
ROUTES = (NEAR, H2C, FAR)
