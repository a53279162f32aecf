"""What differs between two records of an instance, in words. No I/O."""

from dataclasses import fields

from catalog.records.record import Instance

LENGTH_MAX = 200
# What changes without anybody having set it.
_UNTOLD = frozenset({"state", "leaving", "container", "container_port", "service"})
_SHOWN = (str, int, type(None))


def difference(before: Instance, after: Instance) -> str:
    """Return which settings differ; of lists only that they do."""
    told = []
    for each in fields(Instance):
        old, new = getattr(before, each.name), getattr(after, each.name)
        if each.name in _UNTOLD or old == new:
            continue
        is_short = isinstance(old, _SHOWN) and isinstance(new, _SHOWN)
        told.append(f"{each.name} {old} to {new}" if is_short else each.name)
    return f"{', '.join(told):.{LENGTH_MAX}}"
