"""What most of these tests stand on: an etcd of their own, a session of containers, docker-discover
as a process.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.discover import Discover
from tests.parts.engine import Engine
from tests.parts.etcd import Etcd
from tests.parts.register import Catalog


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as session:
        yield session


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    (folder := tmp_path / "etcd").mkdir()
    with Etcd(folder) as running:
        yield running


@pytest.fixture
def catalog(etcd: Etcd) -> Iterator[Catalog]:
    opened = Catalog(etcd)
    yield opened
    opened.close()


@pytest.fixture
def service() -> str:
    """A name that no test beside this one has."""
    return f"s{uuid.uuid4().hex[:8]}"


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    """docker-discover on that etcd, ready, with a HAProxy of its own."""
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)
    with Discover(folder, etcd.endpoint) as it:
        yield it
