"""What was told of one thing, and which part of it is about one container. No I/O."""

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

from ctl.asking import Heard
from ctl.fleet import Fleet, Sidecar
from ctl.view.published import Published

_ID = re.compile(r"[0-9a-f]{4,64}")
_LISTS = ("listeners", "refused")  # facts that are about each service


@dataclass(frozen=True, slots=True)
class Told:
    """What was asked about, and all that was told of it; `silent` are hosts that should have."""

    what: str
    fleet: Fleet
    heard: Sequence[Heard]
    records: Sequence[Published]
    silent: Sequence[str] = ()
    now_s: float = 0.0  # since 1970


def containers_called(published: Iterable[Published], what: str) -> tuple[Published, ...]:
    """Return the records of the containers that have this name, address or beginning of an id."""
    every = tuple(published)
    named = tuple(it for it in every if what in (it.instance.container_name, it.address))
    if named or not _ID.fullmatch(what):
        return named
    return tuple(it for it in every if it.instance.container.startswith(what))


def is_container(heard: Iterable[Heard], what: str) -> bool:
    """Whether a docker-register has a container of this name or id, published or not."""
    rows = [row for it in heard if it.side == "register" for row in it.answer.rows]
    return any(
        what == row.get("name") or (_ID.fullmatch(what) and _begins(row.get("container"), what))
        for row in rows
        if "status" in row
    )


def _begins(container: object, what: str) -> bool:
    return isinstance(container, str) and what.startswith(container[: len(what)])


def joined(answers: Iterable[Heard], ids: Set[str]) -> list[Heard]:
    """Return one answer of each host from those about several services: of these containers."""
    found: dict[Sidecar, Heard] = {}
    for it in answers:
        key = it.host, it.side
        mine = _of_containers(it, ids)
        found[key] = _both(found[key], mine) if key in found else mine
    return list(found.values())


def _of_containers(heard: Heard, ids: Set[str]) -> Heard:
    rows = tuple(
        row for row in heard.answer.rows if str(row.get("instance")).partition(":")[0] in ids
    )
    return replace(heard, answer=replace(heard.answer, rows=rows))


def _both(one: Heard, other: Heard) -> Heard:
    """Return two answers of a host as one; what is no answer gives way."""
    if other.answer.status != "answer":
        return one
    if one.answer.status != "answer":
        return other

    facts = {
        **other.answer.facts,
        **{
            name: [*one.answer.facts.get(name, ()), *other.answer.facts.get(name, ())]
            for name in _LISTS
        },
    }
    rows = (*one.answer.rows, *other.answer.rows)
    return replace(other, answer=replace(other.answer, facts=facts, rows=rows))
