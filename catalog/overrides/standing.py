"""Overrides as keys of etcd have them: each costs itself alone if it cannot be read. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from catalog.entries import Entry
from catalog.errors import Rejected
from catalog.keys import EVERY_SERVICE, OverrideKey, parse_key
from catalog.overrides.override import Override, decode


@dataclass(frozen=True, slots=True)
class Standing:
    """An override that stands in etcd, or why it counts for nothing."""

    override: Override | None
    why_not: str
    created: int
    leased: bool
    modified: int = field(default=0, compare=False)

    @property
    def is_vouched(self) -> bool:
        """Whether it counts only while etcd says that its lease lives.

        What only changes instances may be trusted up to its own end; what leads calls elsewhere
        needs somebody who is there.
        """
        if not self.leased or self.override is None:
            return False
        return bool(self.override.to) or not self.override.until_s


Standings = Mapping[OverrideKey, Standing]


def standing_of(key: OverrideKey, entry: Entry) -> Standing:
    """Return what a key of an override says."""
    leased = entry.lease != 0
    try:
        override = decode(entry.value)
        _check(key, override, leased)
    except Rejected as error:
        return Standing(None, str(error), entry.create_revision, leased, entry.mod_revision)
    return Standing(override, "", entry.create_revision, leased, entry.mod_revision)


def _check(key: OverrideKey, override: Override, leased: bool) -> None:
    """Raise Rejected for what an override must not do under this key."""
    if key.service == EVERY_SERVICE and not (override.state and override.host):
        raise Rejected("of every service only the instances of one host can be drained")
    if override.to and not leased and not override.until_s:
        raise Rejected("to: it has neither a lease nor an end")


def standings_of(prefix: str, entries: Iterable[Entry]) -> Standings:
    """Return all overrides among entries."""
    found: dict[OverrideKey, Standing] = {}
    for entry in entries:
        try:
            key = parse_key(prefix, entry.key)
        except Rejected:
            continue  # docker-discover refuses it, and says so when it is asked
        if isinstance(key, OverrideKey):
            found[key] = standing_of(key, entry)

    return found
