"""What a name means: a host, a service's instances on a host, or a container. No I/O."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from catalog.errors import Rejected
from catalog.keys import EVERY_SERVICE, OverrideKey, identity
from catalog.overrides.override import Override
from ctl.view.names import near
from ctl.view.published import Published

HOST = "host/"
FORMS = "host/a (all of a host), orders@a (orders there) or a container such as 77de12f4"
_ID = re.compile(r"([0-9a-f]{4,64})(:[1-9][0-9]{0,4})?")


class NotThere(Exception):
    """Nothing is called so."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom an override is about: all of a host, a service's there, or the ports of a container."""

    word: str  # as it was written
    host: str = ""
    service: str = ""
    container: str = ""
    instances: tuple[Published, ...] = ()

    def overrides(self, kind: str) -> Sequence[tuple[OverrideKey, str, str]]:
        """Return each key, and its instance or host, under which an override of a kind stands."""
        if self.host:
            service = self.service or EVERY_SERVICE
            return ((OverrideKey(service, f"{kind}-host-{self.host}"), "", self.host),)

        keys = (identity(each.host, each.instance) for each in self.instances)
        return [
            (OverrideKey(key.service, f"{kind}-{key.name.replace(':', '-')}"), key.name, "")
            for key in keys
        ]

    def is_about(self, key: OverrideKey, override: Override) -> bool:
        """Whether an override that stands is about exactly this."""
        if self.host:
            return override.host == self.host and key.service == (self.service or EVERY_SERVICE)

        name, _, port = override.instance.partition(":")
        container, _, wanted = self.container.partition(":")
        return bool(name) and name.startswith(container[:12]) and wanted in ("", port)

    @property
    def arguments(self) -> dict[str, str]:
        """How a docker-discover is asked about it."""
        given = {"service": self.service, "host": self.host, "instance": self.container}
        return {name: value for name, value in given.items() if value}


def target_of(word: str, published: Sequence[Published], hosts: Collection[str]) -> Target:
    """Return what a word means. Raises Rejected for one of no form, and NotThere."""
    if word.startswith(HOST):
        return Target(word, host=_host(word.removeprefix(HOST), hosts))

    service, at, host = word.partition("@")
    if at:
        host = _host(host.removeprefix(HOST), hosts)
        here = tuple(it for it in published if (it.host, it.instance.service) == (host, service))
        if not here:
            names = {it.instance.service for it in published if it.host == host}
            raise NotThere(_not_there(f"{service} on {host}", service, names))
        return Target(word, host, service, instances=here)

    return _container(word, published, hosts)


def _host(host: str, hosts: Collection[str]) -> str:
    if host not in hosts:
        raise NotThere(_not_there(f"host {host}", host, hosts))
    return host


def _container(word: str, published: Sequence[Published], hosts: Collection[str]) -> Target:
    found = tuple(it for it in published if _is_called(it, word))
    containers = {it.instance.container for it in found}
    if len(containers) == 1:
        _, colon, port = word.partition(":")
        return Target(word, container=f"{found[0].short}{colon}{port}", instances=found)
    if containers:
        shown = ", ".join(sorted(it.short for it in found))
        raise Rejected(f"{word} may be any of {shown}: write more of it")

    if word in hosts:
        raise Rejected(f"{word} is a host: write {HOST}{word}")
    of_service = [it for it in published if it.instance.service == word]
    if of_service:
        shown = ", ".join(f"{it.short} on {it.host}" for it in of_service)
        raise Rejected(f"{word} is a service, say which of it: {word}@HOST, or of {shown}")

    match = _ID.fullmatch(word)
    if match:  # of a container that went: its override may still stand
        return Target(word, container=f"{match[1][:12]}{match[2] or ''}")
    names = {it.instance.container_name for it in published} | {it.short for it in published}
    raise NotThere(_not_there(word, word, names - {""}))


def _is_called(it: Published, word: str) -> bool:
    if word in (it.instance.container_name, f"{it.short}:{it.instance.container_port}"):
        return True
    match = _ID.fullmatch(word)
    if match is None or not it.instance.container.startswith(match[1]):
        return False
    return not match[2] or match[2] == f":{it.instance.container_port}"


def _not_there(what: str, name: str, names: Collection[str]) -> str:
    found = near(name, names)
    return f"there is no {what}" + (f"; near: {', '.join(found)}" if found else f": give {FORMS}")
