"""What HAProxy runs now, by name, and which service has which port by that. No I/O."""

from collections.abc import Mapping, Set

from discover.model.names import service_port_of
from discover.text.sections import Section


class Proxies:
    """The names of all that HAProxy runs, and who holds which port, also from what an earlier life left."""

    def __init__(self) -> None:
        self.names: Set[str] = frozenset()
        self.holders: Mapping[int, str] = {}
        self._heads: frozenset[str] = frozenset()

    def look(self, sections: Mapping[str, Section]) -> None:
        """Take the sections that run now; those of the same heads hold the same."""
        if sections.keys() == self._heads:
            return
        self._heads = frozenset(sections)
        self.names = frozenset(section.name for section in sections.values())
        self.holders = {
            port: service for service, port in filter(None, map(service_port_of, self.names))
        }
