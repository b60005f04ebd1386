"""A customer whom no browser was sent with sees the words that the app shows her, and agrees on her bank's pages."""

from __future__ import annotations

from api.office.backchannels import Backchannels
from api.tokens.backchannel import AskedBackchannel
from tests.web.site import Site


def test_the_apps_words_stand_beside_its_request_while_it_lasts(shared_site: Site) -> None:
    site = shared_site
    asked, over, other = site.ask(), site.ask(), site.ask()
    now = site.world.clock.now() // 1000
    assert site.begun is not None
    kept = Backchannels(site.begun._notes)
    kept.keep(asked.consent_id, AskedBackchannel("plum", now + 600, "PLUM <7-3-1>", "her number"))
    kept.keep(over.consent_id, AskedBackchannel("plum", now - 1, "PLUM 9-9-9"))
    with site.client() as mei:
        page = mei.get(f"/my/approve?consent={asked.consent_id}").text
        assert "PLUM &lt;7-3-1&gt;" in page
        assert "her number" not in page
        for consent in (over, other):
            assert "shows you the same words" not in mei.get(f"/my/approve?consent={consent.consent_id}").text
