"""What looks secret is known by one pattern, and shown by no message."""

import pytest

from catalog.values.secrets import looks_secret, masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("'https://app:hunter1@db/x' is not a path", "'https://…@db/x' is not a path"),
        ("a ghp_hunter1hunter1, b", "a …, b"),
        ("'eyJhbGciOiJub25l.eyJodW50ZXI0IjoxfQ.hunter'", "'…'"),
        ("'/up?token=hunter1&x=1' is", "'/up?token=…&x=1' is"),
        ("API_KEY=hunter1", "API_KEY=…"),
        ("x -----BEGIN RSA PRIVATE KEY-----\nhunter1", "x …"),
        ("AKIA0123456789ABCDEF", "…"),
    ],
)
def test_a_secret_is_masked_and_nothing_else(text: str, shown: str) -> None:
    assert looks_secret(text)
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "SERVICE_80_NAME=token, at http://10.0.0.1:8080/x",
        "10.0.0.1:80 [::1]:80 web-1@host",
        "the label SERVICE_API_TOKEN of web-1",
        "PRIVATE",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert not looks_secret(text)
    assert masked(text) == text
