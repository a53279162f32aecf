"""What all containers offer, worked out only for those that changed. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from catalog.records.record import Instance, encode
from register.docker.container import Container
from register.docker.hints import Hint, Hints, has_ended, is_asked_to_stop
from register.offer.instances import Offer, OfferSettings, instances_of
from sidecar.memo import MemoByName


class _Source(NamedTuple):
    """All that an offer is made from."""

    container: Container
    hint: Hint
    settings: OfferSettings


class Offers:
    """A round among a hundred containers of which one changed costs the work for one.

    Use it from one thread.
    """

    def __init__(self) -> None:
        self._offers = MemoByName(_offer)
        self._records = MemoByName(_record)

    def of(
        self, containers: Iterable[Container], hints: Hints, settings: OfferSettings
    ) -> tuple[Offer, ...]:
        """Return what each container offers."""
        sources = {
            container.id: _Source(container, hints.of(container.id), settings)
            for container in containers
        }
        return tuple(self._offers.get(sources).values())

    def records(self, instances: Mapping[str, Instance]) -> Mapping[str, bytes]:
        """Return the record of each instance, by the same keys."""
        return self._records.get(instances)


def _offer(_container: str, source: _Source) -> Offer:
    container = source.container
    if has_ended(container, source.hint):
        container = replace(container, running=False)

    stopping = is_asked_to_stop(container, source.hint)
    return instances_of(container, source.settings, stopping=stopping)


def _record(_key: str, instance: Instance) -> bytes:
    return encode(instance)
