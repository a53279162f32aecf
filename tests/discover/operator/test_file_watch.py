"""FileWatch: what wakes it."""

import threading
from pathlib import Path

import pytest

from discover.operator import file_watch
from discover.operator.file_watch import FileWatch
from tests.parts.wait import wait_for


def test_a_file_is_seen_whose_folder_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_watch, "POLL_S", 0.05)
    fired: list[str] = []
    watch = FileWatch((folder := tmp_path / "later") / "services.yaml", "services", fired.append)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        wait_for(lambda: fired == ["services"], 10, "it watches")
        folder.mkdir()
        wait_for(lambda: len(fired) > 1, 10, "the folder is seen")
        seen = len(fired)
        (folder / "services.yaml").write_text("services: {}")
        wait_for(lambda: len(fired) > seen, 10, "the file is seen")
    finally:
        watch.interrupt()
        thread.join(10)
