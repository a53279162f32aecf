"""Show what would run, to somebody before a terminal or in a CI: nothing is written but to a folder of its own."""

import difflib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from catalog.errors import Rejected, Unavailable
from catalog.keys import root
from catalog.store import Store
from discover.apply.listeners_file import ListenersFile
from discover.exported import listing_of
from discover.haproxy.map_file import MapFiles, text_of
from discover.haproxy.process import HAProxy, Refusal
from discover.model.build import build
from discover.model.config import OPEN_MARKER, ProxyConfig
from discover.model.empty_services import with_empty_services
from discover.model.names import service_port_of
from discover.model.ownership import Listening
from discover.model.spare_backends import with_spare_backends
from discover.operator.snippets import Inserted, SnippetFolder
from discover.operator.templates import layout_of
from discover.settings import PROGRAM, TEMPLATE, Command, DiscoverSettings
from discover.snapshot.snapshot import EMPTY, Snapshot, snapshot_of
from discover.text.blame import blamed
from discover.text.marker import marker_of
from discover.text.render import Layout, Rendered, rendered_of
from discover.text.sample import sample
from discover.this_host import paths_of, policy_of
from sidecar.atomic_files import read
from sidecar.status.problems import Problem

LIST_S = 10.0


def run(settings: DiscoverSettings, command: Command) -> None:
    """Print what was asked for and return; if it cannot be done, end with status 1 and a line for each mistake."""
    try:
        layout = layout_of(settings.template, TEMPLATE)
        if command == "check":
            _check(settings, layout, sample(policy_of(settings).process))
            print(f"{settings.template}: good")
            _check_services(settings)
            _check_snippets(settings, layout)
            return
        runs = _runs(settings)
        config = _wanted(settings, runs)
        wanted = layout.render(config)
        sys.stdout.writelines(
            _lines(wanted) if command == "render" else _difference(runs, wanted, settings)
        )
        _check(settings, layout, config)
    except (Rejected, Unavailable) as error:
        sys.exit("\n".join(f"{PROGRAM}: --{command}: {line}" for line in str(error).splitlines()))


def _check(settings: DiscoverSettings, layout: Layout, config: ProxyConfig) -> None:
    """Let HAProxy read it. Raises Rejected, with the snippet's line if it is one's."""
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
            written = [blame.why for blame in found.values() if blame.why.startswith("snippet ")]
            if written:
                raise Rejected(f"HAProxy refuses {written[0]}") from error
            raise


def _runs(settings: DiscoverSettings) -> Rendered | None:
    text = read(paths_of(settings).config)
    if text is None:
        return None
    marker = marker_of(text)
    return replace(
        rendered_of(text),
        routes=MapFiles(paths_of(settings).config.parent).read(marker) if marker else None,
    )


def _wanted(settings: DiscoverSettings, runs: Rendered | None) -> ProxyConfig:
    """Return what docker-discover would run: ports stay with whom HAProxy has them for, and while they are empty."""
    names = {section.name for section in runs.sections.values()} if runs else set[str]()
    holders = {port: service for service, port in filter(None, map(service_port_of, names))}
    policy, (snapshot, refused) = policy_of(settings), _with_services(settings, _snapshot(settings))
    built, _ = build(snapshot, policy, listening=Listening(holders))
    built, problems = build(
        snapshot, policy, listening=Listening(holders, built.binds)
    )  # no instance is ourselves
    for where, problem in {**refused, **problems}.items():
        print(f"{PROGRAM}: {problem.code} {where}: {problem.text}", file=sys.stderr)
    empty = (
        each
        for each in ListenersFile(settings.state_dir / "listeners").load()
        if each.name in names
    )
    config, bad = Inserted().into(
        with_empty_services(built, empty), SnippetFolder(settings.snippets).read()
    )
    for why in bad.values():
        raise Rejected(why)
    return with_spare_backends(config)


def _check_services(settings: DiscoverSettings) -> None:
    """Refuse also what is wrong only for all of the file together, such as two services with one port."""
    if settings.services is None:
        return
    snapshot, refused = _with_services(settings, EMPTY)
    _, together = build(snapshot, policy_of(settings))
    texts = [problem.text for problem in refused.values()]
    texts += [f"{settings.services.name}: {it.text}" for it in together.values() if not it.quiet]
    if texts:
        raise Rejected("\n".join(dict.fromkeys(texts)))  # what its servers share is said once
    print(f"{settings.services}: good")


def _check_snippets(settings: DiscoverSettings, layout: Layout) -> None:
    """Try each with a service of either mode: which one it is for is not known here."""
    snippets = SnippetFolder(settings.snippets).read()
    for snippet in snippets.values():
        if snippet.refused:
            raise Rejected(snippet.refused)
        listeners = sample(policy_of(settings).process).listeners
        usual = {
            each.mode: replace(each, snippet=snippet.lines)
            for each in reversed(listeners)
            if not each.snippet
        }
        try:
            _check(settings, layout, ProxyConfig(policy_of(settings).process, (usual["tcp"],)))
        except Rejected:
            _check(settings, layout, ProxyConfig(policy_of(settings).process, (usual["http"],)))
    if snippets:
        print(f"{settings.snippets}: good")


def _with_services(
    settings: DiscoverSettings, snapshot: Snapshot
) -> tuple[Snapshot, Mapping[str, Problem]]:
    """Return the snapshot with the services of the file, and what is wrong with those. Raises Rejected."""
    if settings.services is None:
        return snapshot, {}
    # yaml takes memory only where it is used
    from discover.operator.services import JoinedSnapshots  # noqa: PLC0415
    from discover.operator.services_file import parsed  # noqa: PLC0415

    try:
        outside = parsed(settings.services)
    except Rejected as error:
        raise Rejected(f"{settings.services}: {error}") from error
    return JoinedSnapshots().of(snapshot, outside.services), outside.problems


def _snapshot(settings: DiscoverSettings) -> Snapshot:
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


def _difference(
    runs: Rendered | None, wanted: Rendered, settings: DiscoverSettings
) -> Iterator[str]:
    name = str(paths_of(settings).config)
    return difflib.unified_diff(_lines(runs) if runs else [], _lines(wanted), name, "wanted now")


def _lines(rendered: Rendered) -> list[str]:
    """Return the lines of a text, and of its map as comments."""
    lines = rendered.text.splitlines(keepends=True)
    if rendered.routes is None:
        return lines
    return [
        *lines,
        "\n",
        "# the map of the door:\n",
        *(f"# {line}\n" for line in text_of(rendered.routes).splitlines()),
    ]
