"""Answer the callers that no service can answer.

HAProxy passes their requests to a unix socket, which shows only these pages.
"""

import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from discover.model.empty_services import Empty
from discover.model.http_routes import door_port_suffix
from discover.model.proxy_config import Listener, ProxyConfig
from discover.pages.text import HTML, Page, empty, host_of, unknown
from sidecar.actors import Actor
from sidecar.bucket import Bucket, Rate
from sidecar.http_server import TEXT, Answer, HttpServer, Request

LOOK_S = 0.01  # for similar names, for each page
# A flood of questions must not take the processor from what matters.
LOOKS = Rate(5.0, 5)
KEPT = 1000  # pages, until something changes


@dataclass(frozen=True, slots=True)
class _Unknown:
    """The pages for hosts that lead nowhere, by host, while one configuration runs."""

    config: ProxyConfig | None = None
    pages: dict[str, Page] = field(default_factory=dict)


class PageFinder:
    """Finds the page for a request, by the running configuration and the empty services."""

    def __init__(
        self,
        running: Callable[[], ProxyConfig | None],
        empty_since: Callable[[Listener], Empty | None],
    ) -> None:
        self._running = running
        self._empty_since = empty_since
        self._looks = Bucket(LOOKS)
        self._unknown = _Unknown()

    def answer(self, request: Request) -> Answer:
        """Return the page that HAProxy asks for, in the form that its caller accepts."""
        host = request.headers.get("Host", "")
        backend = request.headers.get("X-Tandem-Backend", "")
        page = self._page(host_of(host), backend)

        if "text/html" in request.headers.get("Accept", ""):
            return Answer(page.status, HTML, page.html().encode())
        return Answer(page.status, TEXT, page.text().encode())

    def _page(self, host: str, backend: str) -> Page:
        """Return the page for a host that HAProxy has this backend for; an empty name is none."""
        config = self._running()
        if config is not None and backend:
            for listener in config.listeners:
                if listener.name == backend:
                    return self._of_empty(listener)

        return self._of_unknown(host, config)

    def _of_empty(self, listener: Listener) -> Page:
        last = self._empty_since(listener)
        if last is None:
            return empty(listener, since=None, last=None)

        return empty(listener, since=_moment(last.since_s), last=last.listener)

    def _of_unknown(self, host: str, config: ProxyConfig | None) -> Page:
        """Return the page for a host that leads nowhere; the same host is not looked for again."""
        if self._unknown.config is not config:
            self._unknown = _Unknown(config)

        kept = self._unknown.pages
        if (page := kept.get(host)) is not None:
            return page

        has_time = self._clock()
        page = _unknown_page(host, config, has_time)
        if has_time() and len(kept) < KEPT:
            kept[host] = page
        return page

    def _clock(self) -> Callable[[], bool]:
        """Return what tells whether there is still time to look for similar names."""
        now_s = time.monotonic()
        if self._looks.wait_s(now_s) > 0:
            return lambda: False

        self._looks.spend(now_s)
        return lambda: time.monotonic() < now_s + LOOK_S


def pages(path: Path, finder: PageFinder) -> Actor:
    """Return the actor that answers at a unix socket; one that an earlier life left is replaced."""
    path.unlink(missing_ok=True)
    server = HttpServer(path, finder.answer, name="docker-discover")

    # HAProxy's worker is another user, and everybody may see these pages. Its own sockets in the
    # same folder stay root's.
    path.chmod(0o666)
    path.parent.chmod(stat.S_IMODE(path.parent.stat().st_mode) | stat.S_IXOTH)
    return Actor("pages", server.run, server.end)


def _unknown_page(host: str, config: ProxyConfig | None, has_time: Callable[[], bool]) -> Page:
    if config is None:
        return unknown(host, door_port_suffix(None), (), has_time)

    keys = (key for listener in config.listeners for key in listener.routes)
    tcp = (listener.service for listener in config.listeners if listener.mode == "tcp")
    return unknown(host, door_port_suffix(config.process.door), keys, has_time, tcp)


def _moment(at_s: float) -> str:
    """Return a time of the monotonic clock for people."""
    ago_s = time.monotonic() - at_s
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() - ago_s))
    return f"{text} ({ago_s / 60:.0f} min ago)" if ago_s >= 90 else f"{text} ({ago_s:.0f} s ago)"
