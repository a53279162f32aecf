"""The network between the fleet's machines: a bridge, a cable to each machine, and their faults.

The bridge has a namespace of its own: no bridge, address or rule of this machine changes.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from lab.namespace import Namespace
from lab.wait import wait_for

BRIDGE = "wire"
NETWORK = "10.200.0"  # /24; .1 is the bridge, .11 the first host, .21 the first member
OWN = "eth0"  # the machine's own end of its cable
START_S = 10.0


class Wire:
    """The bridge and its namespace; commands that run there reach every machine."""

    def __init__(self, folder: Path) -> None:
        self.namespace = Namespace("wire", folder / "wire.net")

    def create(self) -> None:
        """Make the bridge."""
        self.namespace.create()
        self.namespace.run("ip", "link", "add", BRIDGE, "type", "bridge")
        self.namespace.run("ip", "address", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        self.namespace.run("ip", "link", "set", BRIDGE, "up")


class Machine:
    """A namespace at the end of a cable.

    The cable's end inside is `OWN`; the one at the bridge has the machine's name.
    """

    def __init__(
        self,
        wire: Wire,
        folder: Path,
        name: str,
        number: int,
    ) -> None:
        self.name = name
        self.address = f"{NETWORK}.{number}"
        self.namespace = Namespace(name, folder / f"{name}.net")
        self._wire = wire.namespace

    def create(self) -> None:
        """Make it and plug it in."""
        self.namespace.create()
        self._add_cable()
        self._wire.run("ip", "link", "set", self.name, "master", BRIDGE, "up")
        self.namespace.run("ip", "address", "add", f"{self.address}/24", "dev", OWN)
        self.namespace.run("ip", "link", "set", OWN, "up")
        # Programs look for a default route; this one leads nowhere.
        self.namespace.run("ip", "route", "add", "default", "via", f"{NETWORK}.1")

    def _add_cable(self) -> None:
        # For the other end ip(8) takes a file in /run/netns, or a process in the namespace.
        keeper = self.namespace.popen("sleep", "30")
        try:
            is_inside = partial(_is_inside, keeper.pid, self.namespace)
            wait_for(is_inside, START_S, f"a process is inside {self.name}")

            peer = ("peer", "name", OWN, "netns", str(keeper.pid))
            self._wire.run("ip", "link", "add", self.name, "type", "veth", *peer)
        finally:
            keeper.kill()
            keeper.communicate()

    def unplug(self) -> None:
        """Cut the cable at the bridge: packets vanish, and no program inside notices."""
        self._wire.run("ip", "link", "set", self.name, "down")

    def plug_in(self) -> None:
        """Mend the cable."""
        self._wire.run("ip", "link", "set", self.name, "up")

    def forget_containers(self) -> None:
        """Remove the cables to its containers, once all of them are dead.

        The kernel keeps a container's namespace while one of its connections waits for an answer,
        a minute and more behind a cut cable. Until then the namespace answers for its address,
        which the next container gets.
        """
        listing = self.namespace.run("ip", "-oneline", "link", "show", "type", "veth")
        for line in listing.splitlines():
            _, link, *_ = line.split(": ")
            name, _, _ = link.partition("@")
            if name != OWN:
                self.namespace.run("ip", "link", "delete", name)

    def block(self, addresses: Iterable[str]) -> None:
        """Drop all packets from and to these addresses too, also those of containers."""
        for address in addresses:
            self._drop("PREROUTING", "-s", address)
            self._drop("PREROUTING", "-d", address)
            self._drop("OUTPUT", "-d", address)

    def unblock(self) -> None:
        """Let all packets through again."""
        for chain in ("PREROUTING", "OUTPUT"):
            self._iptables("-F", chain)

    def _drop(self, chain: str, *match: str) -> None:
        self._iptables("-A", chain, *match, "-j", "DROP")

    def _iptables(self, *words: str) -> None:
        # The table raw comes before Docker's own rules, and before connection tracking.
        self.namespace.run("iptables", "-w", "10", "-t", "raw", *words)


def _is_inside(pid: int, namespace: Namespace) -> bool:
    link = Path(f"/proc/{pid}/ns/net").readlink()
    return str(link) == namespace.link()
