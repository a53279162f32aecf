"""The version of all of Tandem, where pyproject.toml reads it too.

To ask the installed package would take 0.8 MB.
"""

VERSION = "0.1.0"
