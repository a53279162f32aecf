"""What every container offers, worked out anew only for those that changed. Remembers what it said last; no I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from catalog.record import Instance, encode
from register.docker.container import Container
from register.docker.hints import Hint, Hints, has_ended, is_asked_to_stop
from register.offer.instances import Offer, OfferSettings, instances_of


@dataclass(frozen=True, slots=True)
class _Said:
    asked: tuple[Container, Hint, OfferSettings]  # all that an offer comes from
    offer: Offer


@dataclass(frozen=True, slots=True)
class _Record:
    instance: Instance
    value: bytes


class Offers:
    """A round with a hundred containers, of which one has changed, costs the work for one. Use it from one thread."""

    def __init__(self) -> None:
        self._said: dict[str, _Said] = {}
        self._records: dict[str, _Record] = {}

    def of(
        self, containers: Iterable[Container], hints: Hints, settings: OfferSettings
    ) -> tuple[Offer, ...]:
        """Return what each container offers; who is not among them is forgotten."""
        before, self._said = self._said, {}
        for container in containers:
            asked = (container, hints.of(container.id), settings)
            said = before.get(container.id)
            self._said[container.id] = (
                said if said and said.asked == asked else _Said(asked, _offer(*asked))
            )
        return tuple(said.offer for said in self._said.values())

    def records(self, instances: Mapping[str, Instance]) -> dict[str, bytes]:
        """Return the record of each instance, by the same keys."""
        before, self._records = self._records, {}
        for key, instance in instances.items():
            record = before.get(key)
            same = record is not None and record.instance is instance
            self._records[key] = record if record and same else _Record(instance, encode(instance))
        return {key: record.value for key, record in self._records.items()}


def _offer(container: Container, hint: Hint, settings: OfferSettings) -> Offer:
    if has_ended(container, hint):
        container = replace(container, running=False)
    return instances_of(container, settings, stopping=is_asked_to_stop(container, hint))
