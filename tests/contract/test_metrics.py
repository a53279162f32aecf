"""A running pair tells every metric that its source names, as alerts ask for them."""

import re
import subprocess
from pathlib import Path

from tests.parts.discover import discovering
from tests.parts.engine import Engine
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.metrics import metrics_made
from tests.parts.register import Register


def told(text: str) -> dict[str, str]:
    """Return the kind of each metric by its name."""
    return dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))


def test_a_running_pair_tells_every_metric(engine: Engine, etcd: Etcd, tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    with (
        discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1") as discover,
        Register(tmp_path / "r", etcd) as register,
    ):
        texts = [get(each.metrics, "/metrics")[1] for each in (discover, register)]

    found = {name: kind for text in texts for name, kind in told(text).items()}
    assert found == {it.name: it.kind for it in metrics_made().values()}
    for text in texts:
        _check(text)


def _check(text: str) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr
