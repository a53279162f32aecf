"""The model of a snapshot on this host: new ports are tried before HAProxy is asked for them."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from discover.haproxy.ports import trial
from discover.model.build import BuildMemo, build
from discover.model.empty_services import (
    EmptyServices,
    with_empty_services,
    with_held_routes,
)
from discover.model.ownership import Listening
from discover.model.proxy_config import Bind, HostPolicy, Listener, ProxyConfig
from discover.snapshot.snapshot import Holds, Snapshot
from sidecar.status.problems import Problem


@dataclass(frozen=True, slots=True)
class Model:
    """The services with instances as listeners, what is refused, and unusable addresses."""

    config: ProxyConfig
    problems: Mapping[str, Problem]
    unusable: Mapping[Bind, str]
    holds: Holds

    def with_empty(self, services: EmptyServices) -> ProxyConfig:
        """Return the model and the empty services, as far as those can be listened on."""
        usable: list[Listener] = []

        for listener in services.listeners():
            binds = tuple(bind for bind in listener.binds if bind not in self.unusable)
            if binds or listener.routes:
                usable.append(replace(listener, binds=binds))

        return with_held_routes(with_empty_services(self.config, usable), self.holds)


class HostModel:
    """Builds models. Used by the reconcile actor alone."""

    def __init__(self, policy: Callable[[], HostPolicy], empty_services: EmptyServices) -> None:
        self._policy = policy
        self._empty_services = empty_services
        self._built = BuildMemo()

    @contextlib.contextmanager
    def of(self, snapshot: Snapshot, listening: Listening) -> Iterator[Model]:
        """Give the model of a snapshot; its new ports stay reserved inside `with`.

        What HAProxy listens on already is not tried: a trial would only find HAProxy itself.
        """
        policy = self._policy()
        config, problems = build(snapshot, policy, self._built, listening)

        empty = self._empty_services.listeners()
        new = with_empty_services(config, empty).binds - listening.binds
        draining = config.only_draining(new)

        with trial(new - draining) as taken:
            leaving = dict.fromkeys(draining, "its only instances are draining")
            unusable = {**taken, **leaving}
            if unusable:
                policy = replace(policy, unusable=unusable)
                config, problems = build(snapshot, policy, self._built, listening)

            yield Model(config, problems, unusable, snapshot.holds)
