"""What is there to be intercepted, and on which hosts: as etcd has it."""

import contextlib
from dataclasses import dataclass, replace

from catalog.errors import Rejected
from catalog.keys import hosts_root
from ctl.asking import store_of
from ctl.ends import NOT_FOUND, UNREACHABLE, End
from ctl.fleet import Fleet, fleet_of
from ctl.intercepts import target
from ctl.intercepts.wish import Wish, with_port
from ctl.settings import Reach
from ctl.view.names import not_found
from ctl.view.published import Published, published_of


@dataclass(frozen=True, slots=True)
class Around:
    """All services and hosts."""

    published: tuple[Published, ...]
    fleet: Fleet

    def known(self, wish: Wish) -> Wish:
        """Return a wish with its port. Raises Rejected, and End if there is no such service."""
        services = {each.instance.service for each in self.published}
        if wish.service not in services:
            raise End(NOT_FOUND, not_found(wish.service, services))
        for host in wish.only:
            if host not in self.fleet.proxies:
                raise End(NOT_FOUND, f"no docker-discover on {not_found(host, self.fleet.proxies)}")
        if not self.fleet.proxies:
            raise End(UNREACHABLE, "no docker-discover is there that could lead calls anywhere")
        return with_port(wish, self.published)

    def hosts(self, wish: Wish) -> tuple[str, ...]:
        """Return the hosts on which it shall count."""
        return wish.only or tuple(sorted(self.fleet.proxies))

    def on_reachable_hosts(self, wish: Wish, at: str, *, is_own: bool) -> Wish:
        """Return a wish for the hosts that can dial a target. Raises Rejected.

        Loopback is another machine on each host: it can be meant on one host alone.
        """
        if not target.is_loopback(at):
            return wish

        hosts = self.hosts(wish)
        if is_own and not (len(hosts) == 1 and hosts[0] in target.own_ids()):
            raise Rejected(
                "--to: etcd is reached over loopback, so the address of this machine is not known: "
                "name one that hosts can dial, such as 192.0.2.77:9000"
            )
        if len(hosts) != 1:
            raise Rejected(
                f"--to: {at} is another machine on each of {len(hosts)} hosts: name an address "
                "that all can dial, or one host with --only"
            )
        return replace(wish, only=hosts)


def look_around(reach: Reach) -> Around:
    """Return what is there. Raises Unavailable."""
    with contextlib.closing(store_of(reach.access)) as store:
        entries = store.list(hosts_root(reach.prefix)).entries
    return Around(published_of(reach.prefix, entries), fleet_of(reach.prefix, entries, ()))
