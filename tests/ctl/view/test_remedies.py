"""Each code of both sides has what helps, or needs nothing; and its place on the way."""

from ctl.view.remedies import NEED_NONE, REMEDIES, remedy
from ctl.view.steps.step import STAGE_OF, STAGES, refusal
from discover.reasons import REASONS as OF_DISCOVER
from register.reasons import REASONS as OF_REGISTER
from tests.parts.markdown import page

CODES = {*OF_REGISTER, *OF_DISCOVER}


def test_each_code_has_a_remedy_or_needs_none() -> None:
    assert {*REMEDIES, *NEED_NONE} == CODES
    assert not REMEDIES.keys() & set(NEED_NONE)
    assert all(remedy(code) for code in REMEDIES)


def test_each_code_has_its_place_on_the_way() -> None:
    assert STAGE_OF.keys() == CODES
    assert set(STAGE_OF.values()) <= set(STAGES)


def test_each_code_has_its_place_on_its_page() -> None:
    anchors = page("reasons.md").anchors
    for code in CODES:
        step = refusal("a", {"code": code, "where": "shop", "text": "x"})
        assert step.page == f"docs/reasons.md#{code}"
        assert code in anchors


def test_what_is_known_is_filled_in_and_the_rest_is_to_be() -> None:
    assert remedy("CRASH_LOOP", host="c", container="shop") == "on c: docker logs --tail 50 shop"
    assert remedy("CRASH_LOOP") == "on <host>: docker logs --tail 50 <container>"
    assert "{{json .State.Health}}" in remedy("STARTING")
    assert remedy("NO_SUCH_CODE") == ""
