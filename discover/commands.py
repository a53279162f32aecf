"""The commands: --check, --render and --diff show what would run, and change nothing that runs.

--release and --hand-over change in etcd whose a port or a name is.
"""

import base64
import difflib
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from catalog.entries import Entry, Listing
from catalog.errors import Conflict, Full, Refused, Rejected, Unavailable
from catalog.keys import root
from catalog.store import Store
from discover.apply.listeners_file import ListenersFile
from discover.apply.running import Proxies, proxies_of
from discover.claims.hand_over import Misspelt, hand_over, release
from discover.haproxy.map_file import MapFiles, text_of
from discover.haproxy.process import HAProxy, Refusal
from discover.host_model import here
from discover.model.build import build
from discover.model.empty_services import with_empty_services, with_held_routes
from discover.model.ownership import Listening
from discover.model.proxy_config import OPEN_MARKER, Listener, ProxyConfig
from discover.model.spare_backends import with_spare_backends
from discover.operator.snippets import Inserted, Snippet, SnippetFolder
from discover.operator.templates import layout_of
from discover.overrides.overrides import Overrides
from discover.settings import PROGRAM, TEMPLATE, Command, DiscoverSettings
from discover.snapshot.belongs import Holds
from discover.snapshot.snapshot import EMPTY, Snapshot, snapshot_of
from discover.text.blame import blamed
from discover.text.marker import marker_of
from discover.text.render import Layout, Rendered, rendered_of
from discover.text.sample import sample
from discover.this_host import paths_of, policy_of
from sidecar.atomic_files import MALFORMED, read
from sidecar.status.problems import Problem

LIST_S = 10.0


def run(settings: DiscoverSettings, command: Command) -> None:
    """Print what was asked for; if that cannot be done, exit with a line for each mistake."""
    try:
        if command in ("release", "hand-over"):
            _change_hold(settings, command)
            return

        layout = layout_of(settings.template, TEMPLATE)
        if command == "check":
            _check_all(settings, layout)
        else:
            _show(settings, layout, command)
    except (Rejected, Unavailable) as error:
        lines = str(error).splitlines()
        print("\n".join(f"{PROGRAM}: --{command}: {line}" for line in lines), file=sys.stderr)
        sys.exit(2 if isinstance(error, Misspelt) else 1)


def _change_hold(settings: DiscoverSettings, command: Command) -> None:
    """Change whose a thing is, and print what was done. Raises Rejected."""
    store = Store(settings.access, deadline_s=LIST_S)
    try:
        change = release if command == "release" else hand_over
        print(change(store, settings.prefix, settings.argument))
    except (Refused, Full, Conflict) as error:
        raise Rejected(str(error)) from error
    finally:
        store.close()


def _check_all(settings: DiscoverSettings, layout: Layout) -> None:
    _check(settings, layout, sample(policy_of(settings).process))
    print(f"{settings.template}: good")
    _check_services(settings)
    _check_snippets(settings, layout)


def _show(settings: DiscoverSettings, layout: Layout, command: Command) -> None:
    running = _running(settings)
    config = _wanted(settings, running)
    wanted = layout.render(config, running.sections if running else {})

    lines = _lines(wanted) if command == "render" else _difference(running, wanted, settings)
    sys.stdout.writelines(lines)
    _check(settings, layout, config)


def _check(settings: DiscoverSettings, layout: Layout, config: ProxyConfig) -> None:
    """Let HAProxy read it. Raises Rejected, with the snippet's line if that is refused."""
    rendered = layout.render(config)
    haproxy = HAProxy(paths_of(settings), binary=settings.haproxy, supervised=True)
    with tempfile.TemporaryDirectory(prefix="tandem-") as folder:
        file = Path(folder) / "haproxy.cfg"
        file.write_text(rendered.marked(OPEN_MARKER))
        if rendered.routes is not None:
            MapFiles(file.parent).write(OPEN_MARKER, rendered.routes)

        try:
            haproxy.check(file)
        except Refusal as error:
            found = blamed(error.alerts, error.file, error.text, config.listeners)
            snippets = [blame.why for blame in found.values() if blame.why.startswith("snippet ")]
            if snippets:
                raise Rejected(f"HAProxy refuses {snippets[0]}") from error
            raise


def _check_services(settings: DiscoverSettings) -> None:
    """Refuse what is wrong with an entry, and with all together, such as two of one port."""
    if settings.services is None:
        return

    snapshot, refused = _with_services(settings, EMPTY)
    _, together = build(snapshot, policy_of(settings))
    texts = [problem.text for problem in refused.values()]
    texts += [
        f"{settings.services.name}: {problem.text}"
        for problem in together.values()
        if not problem.quiet
    ]
    if texts:
        # What the servers of a service share is said once.
        raise Rejected("\n".join(dict.fromkeys(texts)))
    print(f"{settings.services}: good")


def _check_snippets(settings: DiscoverSettings, layout: Layout) -> None:
    snippets = SnippetFolder(settings.snippets).read()
    for snippet in snippets.values():
        if snippet.refused:
            raise Rejected(snippet.refused)
        _check_snippet(settings, layout, snippet)

    if snippets:
        print(f"{settings.snippets}: good")


def _check_snippet(settings: DiscoverSettings, layout: Layout, snippet: Snippet) -> None:
    """Try a snippet with a service of either mode: its own service is not known here."""
    process = policy_of(settings).process
    listeners: dict[str, Listener] = {}
    for listener in sample(process).listeners:
        if not listener.snippet:
            listeners.setdefault(listener.mode, replace(listener, snippet=snippet.lines))

    try:
        _check(settings, layout, ProxyConfig(process, (listeners["tcp"],)))
    except Rejected:
        _check(settings, layout, ProxyConfig(process, (listeners["http"],)))


def _running(settings: DiscoverSettings) -> Rendered | None:
    """Return what the file of HAProxy says; None if there is none."""
    path = paths_of(settings).config
    text = read(path)
    if text is None:
        return None

    marker = marker_of(text)
    routes = MapFiles(path.parent).read(marker) if marker else None
    return replace(rendered_of(text), routes=routes)


def _wanted(settings: DiscoverSettings, running: Rendered | None) -> ProxyConfig:
    """Return what docker-discover would run: a service keeps the port that HAProxy has for it."""
    proxies = proxies_of(running.sections.keys() if running else set())
    built, holds, problems = _built(settings, _snapshot(settings), proxies)
    for where, problem in problems.items():
        print(f"{PROGRAM}: {problem.code} {where}: {problem.text}", file=sys.stderr)
    return _with_the_rest(settings, built, holds, proxies)


def _with_the_rest(
    settings: DiscoverSettings, built: ProxyConfig, holds: Holds, proxies: Proxies
) -> ProxyConfig:
    """Return a configuration with empty services, snippets and spare backends."""
    earlier = ListenersFile(settings.state_dir / "listeners").load()
    empty = (listener for listener in earlier if listener.name in proxies.names)
    snippets = SnippetFolder(settings.snippets).read()
    services = with_held_routes(with_empty_services(built, empty), holds)
    config, refused = Inserted().into(services, snippets)
    for why in refused.values():
        raise Rejected(why)

    return with_spare_backends(config)


def text_at(settings: DiscoverSettings, revision: int) -> tuple[str, Snapshot]:
    """Return what HAProxy would have been given for the catalog at a revision.

    Everything else is as it is today: template, snippets, services file, settings. Raises Rejected,
    Compacted, Unavailable.
    """
    store = Store(settings.access, deadline_s=LIST_S)
    try:
        listing = store.list(root(settings.prefix), revision=revision)
    finally:
        store.close()

    snapshot = snapshot_of(settings.prefix, listing)
    nothing = proxies_of(set())
    built, holds, _problems = _built(settings, snapshot, nothing)
    config = _with_the_rest(settings, built, holds, nothing)
    layout = layout_of(settings.template, TEMPLATE)
    return "".join(_lines(layout.render(config, {}))), snapshot


def _built(
    settings: DiscoverSettings, catalog: Snapshot, proxies: Proxies
) -> tuple[ProxyConfig, Holds, Mapping[str, Problem]]:
    """Return the configuration for a catalog, its holds, and what is left out."""
    policy = policy_of(settings)
    with_services, refused = _with_services(settings, catalog)
    overrides = Overrides(lambda snapshot: here(snapshot, policy))
    snapshot, overridden = overrides.of(with_services)

    # The second time with what is listened on: no instance may be HAProxy itself.
    built, _ = build(snapshot, policy, listening=Listening(proxies.holders))
    built, problems = build(snapshot, policy, listening=Listening(proxies.holders, built.binds))

    return built, snapshot.holds, {**refused, **overridden, **problems}


def _with_services(
    settings: DiscoverSettings, snapshot: Snapshot
) -> tuple[Snapshot, Mapping[str, Problem]]:
    """Return the snapshot with the file's services, and what is refused. Raises Rejected."""
    if settings.services is None:
        return snapshot, {}

    # They import yaml, which takes memory only where there is such a file.
    from discover.operator.services import JoinedSnapshots  # noqa: PLC0415
    from discover.operator.services_file import parsed  # noqa: PLC0415

    try:
        file = parsed(settings.services)
    except Rejected as error:
        raise Rejected(f"{settings.services}: {error}") from error
    return JoinedSnapshots().of(snapshot, file.services), file.problems


def _snapshot(settings: DiscoverSettings) -> Snapshot:
    """Return the catalog, from the file of CATALOG or from etcd. Raises Rejected, Unavailable."""
    if settings.catalog is not None:
        text = read(settings.catalog) or ""
        try:
            return snapshot_of(settings.prefix, listing_of(text))
        except Rejected as error:
            raise Rejected(f"{settings.catalog} {error}") from error

    store = Store(settings.access, deadline_s=LIST_S)
    try:
        return snapshot_of(settings.prefix, store.list(root(settings.prefix)))
    finally:
        store.close()


def listing_of(text: str) -> Listing:
    """Return the listing in the output of `etcdctl get --prefix … -w json`. Raises Rejected.

    The form is that of etcd's JSON mapping of RangeResponse: keys and values are in base64, and a
    field that is 0 is left out.
    """
    try:
        reply = json.loads(text)
        header = reply["header"]
        entries = tuple(_entry(fields) for fields in reply.get("kvs", []))
        return Listing(int(header.get("cluster_id", 0)), int(header["revision"]), entries)
    except MALFORMED as error:
        raise Rejected(
            f"is not the output of `etcdctl get --prefix /services -w json`: {error!r:.80}"
        ) from error


def _entry(fields: dict[str, Any]) -> Entry:
    return Entry(
        base64.b64decode(fields["key"], validate=True).decode(),
        base64.b64decode(fields.get("value", ""), validate=True),
        int(fields["create_revision"]),
        int(fields["mod_revision"]),
        int(fields.get("lease", 0)),
    )


def _difference(
    running: Rendered | None, wanted: Rendered, settings: DiscoverSettings
) -> Iterable[str]:
    name = str(paths_of(settings).config)
    before = _lines(running) if running else []
    return difflib.unified_diff(before, _lines(wanted), name, "wanted now")


def _lines(rendered: Rendered) -> list[str]:
    """Return the lines of a text, and of its map as comments."""
    lines = rendered.text.splitlines(keepends=True)
    if rendered.routes is None:
        return lines

    routes = text_of(rendered.routes).splitlines()
    return [*lines, "\n", "# the door's map:\n", *(f"# {line}\n" for line in routes)]
