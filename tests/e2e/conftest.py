"""A pair from the images for each module of tests: real engine, real etcd, real HAProxy."""

from collections.abc import Iterator

import pytest

from tests.parts.engine import Engine, Pair
from tests.parts.pair_service import Service


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as session:
        yield session


@pytest.fixture(scope="module")
def pair(engine: Engine) -> Iterator[Pair]:
    with Pair(engine) as one:
        yield one


@pytest.fixture
def service(pair: Pair) -> Iterator[Service]:
    one = Service(pair)
    yield one
    one.remove()
