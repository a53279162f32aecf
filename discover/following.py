"""Wire what follows the rounds: the journal, and what measures how fast containers arrive."""

import time
from collections.abc import Callable
from pathlib import Path

from discover.apply.rollout import Round
from discover.host_model import here
from discover.journal.proxy_story import Told
from discover.journal.recorder import Recorder
from discover.latency.histogram import StartToApplied
from discover.latency.starts import Starts
from discover.reconcile import Reconcile
from discover.settings import DiscoverSettings
from discover.snapshot.etcd_watch import CatalogWatch
from discover.snapshot.keeper import Keeper
from discover.stubs.debt_keeper import StubDebt
from discover.this_host import policy_of
from sidecar.actors import Actor
from sidecar.status.metrics import Metrics
from sidecar.status.problems import Problems


def measured_starts(
    settings: DiscoverSettings, keeper: Keeper, reconcile: Reconcile, metrics: Metrics
) -> StartToApplied:
    """Return the measure, which each round of the reconcile actor feeds."""
    measure = StartToApplied(metrics)

    starts = Starts()

    def follow(done: Round) -> None:
        # What an earlier life knew is no beginning: what started since did not start now.
        if done.snapshot is None or not keeper.listed:
            return
        if took := starts.look(done.snapshot, reconcile.running.config, time.time()):
            own = here(done.snapshot, policy_of(settings))
            for host, seconds in took:
                measure.add("own" if host in own else "other", seconds)

    reconcile.followers.append(follow)
    return measure


def journal_path(settings: DiscoverSettings) -> Path:
    """Return where the journal is."""
    return settings.state_dir / "journal"


def journal(
    settings: DiscoverSettings,
    watch: CatalogWatch,
    keeper: Keeper,
    reconcile: Reconcile,
    stubs: StubDebt,
    problems: Problems,
    metrics: Metrics,
) -> Actor:
    """Return the actor that keeps the journal, told of all that happens."""
    recorder = Recorder(journal_path(settings), settings.prefix, metrics)
    watch.seen = recorder.seen
    keeper.stepped = recorder.stepped
    reconcile.followers.append(_of_round(recorder, keeper, reconcile, stubs, problems))
    return recorder.actor()


def _of_round(
    recorder: Recorder, keeper: Keeper, reconcile: Reconcile, stubs: StubDebt, problems: Problems
) -> Callable[[Round], None]:
    def follow(done: Round) -> None:
        recorder.told(
            Told(
                done,
                keeper.state.catalog.revision,
                stubs.debts.by_service.keys(),
                reconcile.running.config,
                problems.current,
            )
        )

    return follow
