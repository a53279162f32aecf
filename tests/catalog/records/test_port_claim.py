"""Claims: what stands under ports/<service>, and what is refused there."""

import pytest

from catalog.errors import Rejected
from catalog.records.port_claim import decode, encode


@pytest.mark.parametrize("port", [1, 10007, 65535])
def test_a_claim_is_read_as_it_was_written(port: int) -> None:
    assert decode(encode(port)) == port


def test_a_claim_is_canonical_json() -> None:
    assert encode(10007) == b'{"port":10007,"v":1}'


def test_what_a_later_version_adds_is_ignored() -> None:
    assert decode(b'{"v":1,"port":10007,"note":"x"}') == 10007


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"10007", "int instead of a JSON object"),
        (b"[" * 1000, "not JSON"),
        (b'{"port":10007}', "is not like"),
        (b'{"v":2,"port":10007}', "is not like"),
        (b'{"v":1}', "None is not a port"),
        (b'{"v":1,"port":0}', "0 is not a port"),
        (b'{"v":1,"port":65536}', "65536 is not a port"),
        (b'{"v":1,"port":true}', "True is not a port"),
        (b'{"v":1,"port":80.0}', "80.0 is not a port"),
        (b'{"v":1,"port":"80"}', "'80' is not a port"),
        (b" " * 2000, "2000 bytes"),
    ],
)
def test_what_is_no_claim_is_refused_with_what_was_seen(value: bytes, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        decode(value)
