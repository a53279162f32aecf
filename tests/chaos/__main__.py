"""`make chaos SEED=1 ROUNDS=40`: break the fleet on purpose, a fault drawn from the catalogue each
round, and judge.

The seed decides which faults come, where and for how long. KEEP_GOING=1 goes on after a broken
round; FROM=17 ROUNDS=17
plays only that round again; ONLY=words,words draws only from the kinds whose name has any of them.
"""

import contextlib
import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.fleet import Fleet
from lab.process import LabError
from tests.chaos import report
from tests.chaos.calls import Calls
from tests.chaos.catalogue import CATALOGUE
from tests.chaos.fault import Fault
from tests.chaos.judge import Judge, Round
from tests.chaos.world import World
from tests.parts.fleet.invariants import Witness

FOLDER, RESULTS = Path(".run/chaos-fleet"), Path(".run/chaos")
TWO_AT_ONCE = 0.2  # of the rounds
# What needs a container started or ended on a host does not go with a host or an engine that
# cannot.
NOT_TOGETHER = {
    frozenset(("containers", "engine")),
    frozenset(("containers", "host")),
    frozenset(("engine", "host")),
}
NUMBERS = (("SEED", 1), ("FROM", 1), ("ROUNDS", 20))
CALM_S = 1.0  # calls go on this long before a fault and after quiescence


def draw(seed: int, kinds: tuple[type[Fault], ...]) -> Iterator[list[Fault]]:
    """Yield each round's faults. Every kind comes once before any comes again."""
    dice = random.Random(seed)
    while True:
        for kind in dice.sample(kinds, len(kinds)):
            faults = [kind.draw(dice)]
            if dice.random() < TWO_AT_ONCE and (
                others := [each for each in kinds if _may_join(kind, each)]
            ):
                faults.append(dice.choice(others).draw(dice))
            yield faults


def _may_join(kind: type[Fault], other: type[Fault]) -> bool:
    groups = frozenset((kind.group, other.group))
    return len(groups) == 2 and groups not in NOT_TOGETHER


def play(world: World, number: int, faults: list[Fault]) -> Round:
    """Play one round: calls, faults, mending, quiescence, verdict."""
    world.begin_round(paired=len(faults) > 1)
    done, began_s = Round(number, faults), time.monotonic()
    judge = Judge(world, faults)
    calls = Calls(world.fleet.hosts, world.services)
    with Witness(world.fleet) as witness:
        world.wait(CALM_S)
        try:
            _break(world, faults)
            done.well_s = world.wait_well()
        except (LabError, OSError) as error:
            done.broken.append(f"I3: {error}")
        world.wait(CALM_S)
    done.seconds = time.monotonic() - began_s
    seen = calls.end()
    watched = [called for each in world.watched for called in each.end()]
    done.measures = world.measures
    done.broken += world.broken
    done.broken += judge.verdict(seen, watched, witness, done)
    return done


def _break(world: World, faults: list[Fault]) -> None:
    """Strike with all at once, then undo it."""
    try:
        with ThreadPoolExecutor(len(faults)) as pool:
            for struck in [pool.submit(fault.strike, world) for fault in faults]:
                with contextlib.suppress(
                    *[LabError] * (len(faults) > 1)
                ):  # one may keep the other from being done
                    struck.result()
    finally:
        for fault in faults:
            with contextlib.suppress(
                OSError, LabError
            ):  # what it did may be gone with what the other fault did
                fault.heal(world)
        world.mend()
        world.clear()


def run(seed: int, rounds: range, kinds: tuple[type[Fault], ...], keep_going: bool) -> list[Round]:
    """Play all rounds; stop at the first that is broken unless told to go on, then with a new fleet
    if need be.
    """
    played: list[Round] = []
    with contextlib.ExitStack() as stack:
        world = _new_world(stack)
        for number, faults in zip(
            rounds, itertools.islice(draw(seed, kinds), rounds.start - 1, None), strict=False
        ):
            world.fleet.note(f"round {number}: {' + '.join(map(str, faults))}")
            played.append(play(world, number, faults))
            print(report.line(played[-1], world.fleet.log[-1][0]), flush=True)
            report.write(RESULTS, played, seed)
            if played[-1].broken:
                print(report.last_words(world.fleet, RESULTS / f"{seed}-{number}"), flush=True)
                if not keep_going:
                    break
            try:
                _refill(world)
            except LabError:  # it does not mend itself
                if not played[-1].broken:
                    raise
                stack.close()
                world = _new_world(stack)
    return played


def _new_world(stack: contextlib.ExitStack) -> World:
    world = World(stack.enter_context(Fleet(FOLDER, say=print)))
    world.prepare()
    _refill(world)
    return world


def _refill(world: World) -> None:
    world.fill()
    world.wait_well()


def main() -> int:
    """Return 0 if nothing was broken, 1 if something was, 2 if chaos itself could not run."""
    seed, first, last = (int(os.environ.get(name) or default) for name, default in NUMBERS)
    only = os.environ.get("ONLY", "")
    kinds = tuple(
        kind for kind in CATALOGUE if any(words in kind.words() for words in only.split(","))
    )
    if os.geteuid() != 0 or not kinds:
        print("tandem: chaos requires root, and ONLY must match a fault's name", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(2))  # the fleet is removed on the way out
    try:
        played = run(seed, range(first, last + 1), kinds, bool(os.environ.get("KEEP_GOING")))
    except LabError as error:
        print(f"tandem: {error}", file=sys.stderr)
        return 2
    print(f"\n{report.summary(played, seed)}\n\n{report.table(played)}")
    return 1 if any(done.broken for done in played) else 0


if __name__ == "__main__":
    sys.exit(main())
