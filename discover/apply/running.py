"""What HAProxy runs, as one frozen value. No I/O."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from discover.model.proxy_config import Bind, Listener, ProxyConfig, ServicePort, service_port_of
from discover.model.spare_backends import under_own_names
from discover.text.render import Layout, Rendered
from discover.text.sections import Section
from discover.text.slots import Seats


@dataclass(frozen=True, slots=True)
class Worker:
    """What the current worker runs, and the marker of its last reload, which it shows."""

    rendered: Rendered
    marker: str | None


@dataclass(frozen=True, slots=True)
class Running:
    """The worker, and what its text was made from. Replaced whole, so any thread may read it."""

    worker: Worker | None = None  # None: what the worker runs is not known
    config: ProxyConfig | None = None  # what HAProxy ran last; None: nothing yet in this life
    layout: Layout | None = None  # None: the worker's text was read from a file
    earlier: tuple[Listener, ...] = ()  # what HAProxy still runs from an earlier life

    def with_worker(self, worker: Worker | None) -> "Running":
        """Return this with the worker that was found."""
        if worker is self.worker:
            return self
        return replace(self, worker=worker, layout=None)

    @property
    def sections(self) -> Mapping[str, Section]:
        """The sections that the worker runs; none if they are not known."""
        return self.worker.rendered.sections if self.worker else {}

    @property
    def seats(self) -> Mapping[str, Seats]:
        """The slots of the instances that run, by listener; none of a text read from a file."""
        return self.worker.rendered.seats if self.worker else {}

    @property
    def routes(self) -> Mapping[str, str] | None:
        """The door's map in the worker; None if its text has no door."""
        return self.worker.rendered.routes if self.worker else {}

    @property
    def binds(self) -> frozenset[Bind]:
        """The addresses that the worker listens on."""
        return self.config.binds if self.config and self.worker else frozenset()

    def good_listeners(self) -> Mapping[str, Listener]:
        """Return the listeners that HAProxy accepted last, also in an earlier life, by name."""
        listeners = under_own_names(self.config).listeners if self.config else self.earlier
        return {listener.name: listener for listener in listeners}


@dataclass(frozen=True, slots=True)
class Proxies:
    """The names of all proxies that HAProxy runs, and by them the service that has each port."""

    names: Set[str]
    holders: Mapping[int, str]

    def holders_without(self, gone: Set[ServicePort]) -> Mapping[int, str]:
        """Return which service has which port, without these."""
        if not gone:
            return self.holders

        return {
            port: service for port, service in self.holders.items() if (service, port) not in gone
        }


def proxies_of(heads: Set[str]) -> Proxies:
    """Return the proxies that sections with these heads are, whoever laid them out."""
    words = (head.split(" ") for head in heads if " " in head)
    names = frozenset(name for _kind, name, *_options in words)
    services = filter(None, map(service_port_of, names))
    return Proxies(names, {port: service for service, port in services})
