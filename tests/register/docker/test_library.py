"""What importing docker brings along, in a process that has nothing of it yet."""

import subprocess
import sys

PROGRAM = """
import sys
import register.docker.source
print(*(name for name in ("docker", "chardet", "charset_normalizer") if name in sys.modules))
import charset_normalizer
"""


def test_no_tables_of_encodings_and_no_warning_of_that() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("docker\n", "")
