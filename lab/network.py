"""The wire between the fleet's machines: one bridge in a namespace of its own, a cable to each machine, and its faults.

Nothing is outside: no bridge, no address and no rule of this machine changes, whatever it uses itself.
"""

from collections.abc import Iterable
from pathlib import Path

from lab.namespace import Namespace
from lab.wait import wait_for

BRIDGE = "wire"
NETWORK = "10.200.0"  # /24; .1 is the bridge, .11 the first host, .21 the first member
OWN = "eth0"  # the machine's own end of its cable
START_S = 10.0


class Wire:
    """The bridge, and the namespace that it is in; commands run there reach every machine."""

    def __init__(self, folder: Path) -> None:
        self.namespace = Namespace("wire", folder / "wire.net")

    def create(self) -> None:
        """Lay it."""
        self.namespace.create()
        self.namespace.run("ip", "link", "add", BRIDGE, "type", "bridge")
        self.namespace.run("ip", "address", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        self.namespace.run("ip", "link", "set", BRIDGE, "up")


class Machine:
    """A namespace at the end of a cable. Its end inside is `OWN`, the one at the bridge has the machine's name."""

    def __init__(self, wire: Wire, folder: Path, name: str, number: int) -> None:
        self.name = name
        self.address = f"{NETWORK}.{number}"
        self.namespace = Namespace(name, folder / f"{name}.net")
        self._wire = wire.namespace

    def create(self) -> None:
        """Make it and plug it in."""
        self.namespace.create()
        # ip(8) names the namespace of the other end by a file in /run/netns, or by a process that is inside.
        keeper = self.namespace.popen("sleep", "30")
        try:
            wait_for(
                lambda: _is_inside(keeper.pid, self.namespace),
                START_S,
                f"a process is inside {self.name}",
            )
            peer = ("peer", "name", OWN, "netns", str(keeper.pid))
            self._wire.run("ip", "link", "add", self.name, "type", "veth", *peer)
        finally:
            keeper.kill()
            keeper.communicate()
        self._wire.run("ip", "link", "set", self.name, "master", BRIDGE, "up")
        self.namespace.run("ip", "address", "add", f"{self.address}/24", "dev", OWN)
        self.namespace.run("ip", "link", "set", OWN, "up")
        # A way out, so that programs that look for one find it; nobody is there.
        self.namespace.run("ip", "route", "add", "default", "via", f"{NETWORK}.1")

    def unplug(self) -> None:
        """Cut the cable at the bridge: nothing arrives, nothing leaves, and nobody inside is told."""
        self._wire.run("ip", "link", "set", self.name, "down")

    def plug_in(self) -> None:
        """Mend the cable."""
        self._wire.run("ip", "link", "set", self.name, "up")

    def forget_containers(self) -> None:
        """Remove the cables to its containers, once all of them are dead.

        The kernel keeps a container's namespace as long as a connection of it waits for an answer, a minute and more
        behind a cut cable, and it goes on to answer for the address that the next container gets.
        """
        for line in self.namespace.run(
            "ip", "-oneline", "link", "show", "type", "veth"
        ).splitlines():
            name = line.split(": ")[1].partition("@")[0]
            if name != OWN:
                self.namespace.run("ip", "link", "delete", name)

    def block(self, addresses: Iterable[str]) -> None:
        """Drop, here, all packets from and to these addresses, those of containers too; adds to what is blocked."""
        for address in addresses:
            self._rule("-A", "PREROUTING", "-s", address)
            self._rule("-A", "PREROUTING", "-d", address)
            self._rule("-A", "OUTPUT", "-d", address)

    def unblock(self) -> None:
        """Let everybody through again."""
        for chain in ("PREROUTING", "OUTPUT"):
            self.namespace.run("iptables", "-w", "10", "-t", "raw", "-F", chain)

    def _rule(self, verb: str, chain: str, *match: str) -> None:
        # raw is before Docker's own rules, and before connection tracking
        self.namespace.run("iptables", "-w", "10", "-t", "raw", verb, chain, *match, "-j", "DROP")


def _is_inside(pid: int, namespace: Namespace) -> bool:
    return str(Path(f"/proc/{pid}/ns/net").readlink()) == f"net:[{namespace.path.stat().st_ino}]"
