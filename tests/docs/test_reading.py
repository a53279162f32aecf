"""README is short, and sentences are."""

import pytest

from tests.parts.markdown import DOCS, README, Page, words_in

README_LINES, README_WORDS = 150, 1_100
SENTENCE_WORDS = 25  # nine of ten sentences have no more


def test_readme_is_short() -> None:
    assert len(README.text.splitlines()) <= README_LINES
    assert len(README.text.split()) <= README_WORDS


@pytest.mark.parametrize("page", (README, *DOCS), ids=str)
def test_nine_of_ten_sentences_are_short(page: Page) -> None:
    longest_first = sorted(page.sentences, key=words_in, reverse=True)
    tenth = longest_first[: len(longest_first) // 10 + 1][-1]

    assert words_in(tenth) <= SENTENCE_WORDS, tenth
