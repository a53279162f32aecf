"""HAProxy's two letters in words."""

import pytest

from discover.calls.endings import NO_INSTANCE, ending


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("--", "complete"),
        ("SC", "the instance refused the connection"),
        ("sH", "the instance did not answer in time"),
        ("CD", "the client left before the answer was complete"),
        ("UD", "a real instance took over from a stub while data went to and fro"),
        ("cD", "the client was silent for too long while data went to and fro"),
        ("K-", "somebody ended it in HAProxy"),
        ("?!", "HAProxy says ?!"),
        ("", "HAProxy says "),
    ],
)
def test_a_code_has_its_words(code: str, words: str) -> None:
    assert ending(code, was_called=True) == words


def test_without_an_instance_none_refused() -> None:
    assert ending("SC", was_called=False) == NO_INSTANCE
    assert ending("CQ", was_called=False) == "the client left while it waited for an instance"
