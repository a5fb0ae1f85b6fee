"""The lesson's pages: every chapter and step, the way through one, the glossary, the plan."""

import numpy as np
import pytest
from driving import finish, press, said, view
from materials import store_halves

from app.learn.lesson import CHAPTERS
from app.shell import resources
from app.shell.caches import trust
from app.start.below import example_tiles
from fnprune_core.atlas.chance.names import is_named

BY_NAME = {each.slug: each for each in CHAPTERS}


def everything(at) -> str:
    return "\n".join(each.value for each in (*at.markdown, *at.caption, *at.title, *at.subheader))


@pytest.fixture(scope="module", autouse=True)
def quick_brain():
    """Fewer scans of the simulated brain, for speed."""
    from app.learn import data as cache
    from fnprune_core.teaching import simulated_fmri

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulated_fmri.simulate, "__kwdefaults__", {
            **simulated_fmri.simulate.__kwdefaults__, "n_scans": 30,
        })  # fmt: skip
        cache.recovered.clear()
        yield


def test_chapters_begin_with_networks_that_recur(open_page, example) -> None:
    """They began with the most selective network, also where no half found it again."""
    from app.learn import data as cache

    assert trust.recurring_first(example.atlas) == list(range(6))  # nothing is known
    share = resources.atlas(example.atlas).domain_share().max(axis=1)
    before = cache.most_selective(example.atlas)
    assert before == int(share.argmax())
    r = np.where(np.arange(6) == before, 0.2, [0.9, 0.1, 0.8, 0.75, 0.3, 0.9])
    store_halves(resources.workspace(), example.atlas, r)
    recur = np.flatnonzero(r >= 0.7)
    chosen = cache.most_selective(example.atlas)
    assert chosen == recur[share[recur].argmax()]
    assert cache.with_a_word(example.atlas) in recur
    order = trust.recurring_first(example.atlas)
    assert order == [*recur, *np.flatnonzero(r < 0.7)]
    assert [tile["network"] for tile in example_tiles(example.atlas, is_laid_out=False)] == order
    at = open_page("learn", **example.view(), chapter="map", step="do", show="open")
    assert not at.exception
    picker = next(each for each in at.selectbox if each.label == "Network of the model")
    assert picker.value == chosen
    assert "not found again" not in everything(at)
    picker.set_value(before).run()
    assert "Split-half r under 0.7: not found again in halves of the documents." in everything(at)


@pytest.mark.parametrize("slug", BY_NAME)
def test_the_last_step_of_a_chapter_opens_by_its_link(open_page, example, slug) -> None:
    chapter = BY_NAME[slug]
    at = open_page("learn", **example.view(), chapter=slug, step="check", show="open")
    assert not at.exception
    assert not at.error
    assert at.title[0].value == chapter.title
    if chapter.needs == "model":
        assert "Do the experiment first" in said(at)
        return
    assert "What was measured" in everything(at)
    supported = [a for a in chapter.predict.answers if f"**{a.text}**" in said(at)]
    assert supported


def test_a_prediction_comes_first_stands_and_is_compared(open_page, example) -> None:
    chapter = BY_NAME["signal"]
    at = open_page("learn", **example.view(), chapter="signal", step="do")
    assert "Predict first" in everything(at)
    assert not at.get("plotly_chart")
    press(at, "Make a prediction")
    assert chapter.predict.prompt in everything(at)
    commit = next(b for b in at.button if b.label == "Commit to this answer")
    assert commit.disabled
    at.radio[0].set_value("minute").run()
    press(at, "Commit to this answer")
    assert view(at).step == "do"
    assert "About a minute later" in everything(at)
    press(at, "Check my prediction")
    wrong, right = (chapter.predict.answer(key) for key in ("minute", "seconds"))
    assert wrong.why in said(at)
    assert right.text in said(at)
    at.radio(key="lesson-check-signal").set_value("two").run()
    assert chapter.check.answer("two").why in said(at)
    at.radio(key="lesson-check-signal").set_value("one").run()
    assert "Right." in said(at)
    assert chapter.limits in everything(at)
    press(at, "Next: Voxel and unit")
    assert view(at).chapter == "units"
    press(at, "Previous chapter")
    assert at.radio[0].disabled  # a prediction cannot be taken back
    press(at, "All chapters")
    assert "1 of 11 done" in everything(at)
    press(at, "Go on: Voxel and unit")
    assert at.title[0].value == "Voxel and unit"


def test_a_chapter_may_be_started_anew(open_page, example) -> None:
    at = open_page("learn", **example.view(), chapter="units")
    at.radio[0].set_value("both").run()
    press(at, "Commit to this answer")
    at = press(press(at, "Previous chapter"), "Next chapter")
    press(at, "Start this chapter again")
    assert not at.radio[0].disabled


def test_without_an_atlas_the_lesson_says_where_to_get_one(open_page) -> None:
    at = open_page("learn")
    assert not at.exception
    assert "worked example" in said(at)
    at = open_page("learn", chapter="map", step="do", show="open")
    assert "Go to the start" in [button.label for button in at.button]
    at = open_page("learn", chapter="no-such")
    assert "There is no chapter" in said(at)


@pytest.mark.parametrize(
    ("slug", "label"),
    [("lesions", "Silence"), ("pruning", "Silence one unit in five by each rule")],
)
def test_lesions_are_made_live(open_page, example, slug, label) -> None:
    resources.shelf().get(example.model, progress=lambda event: None)
    at = open_page("learn", **example.view(), chapter=slug, step="check", show="open")
    button = next(b for b in at.button if b.label.startswith(label))
    button.click().run()
    job = finish(at)
    assert job.state == "done", job.failure
    assert not at.error
    assert "What was measured" in everything(at)
    assert "no standard error" in at.get("plotly_chart")[0].proto.alt


def test_guessing_a_network_tells_right_from_wrong(open_page, example) -> None:
    at = open_page("learn", **example.view(), chapter="decoding", step="do", show="open")
    if not at.pills:
        pytest.skip("no network of the toy atlas follows one domain")
    guesses = at.pills[0].options
    texts = []
    for guess in guesses:
        at.pills[0].set_value(guess).run()
        texts.append(said(at))
    assert sum("Right:" in text for text in texts) == 1
    press(at, "Next network")
    assert "Round 2" in everything(at)


def test_the_lesson_counts_networks_of_a_domain_beside_random_directions(
    open_page, example, monkeypatch
) -> None:
    """It told 42 of 64 networks, and not that shifted directions are 47."""
    from app.shell.caches import directions

    def measured(at) -> str:
        return everything(at).replace("\\", "")

    link = {**example.view(), "chapter": "decoding", "step": "check", "show": "open"}
    n = int(is_named(resources.atlas(example.atlas)).sum())
    assert f"for {n} (random directions: not measured): " in measured(open_page("learn", **link))
    counted = {"networks": {"named": n}, "permuted": {"named": 0}, "shifted": {"named": 47}}
    monkeypatch.setattr(directions, "named", lambda id: counted)
    at = open_page("learn", **link)
    assert f"for {n} (random directions: permuted 0, shifted 47): " in measured(at)


def test_glossary_finds_words(open_page) -> None:
    at = open_page("glossary")
    assert not at.exception
    assert len(at.table[0].value) > 30
    at.text_input(key="glossary-words").set_value("haemodynamic").run()
    assert 1 <= len(at.table[0].value) < 6
    at.text_input(key="glossary-words").set_value("zzz").run()
    assert "No such word" in said(at)


def test_the_teachers_page_has_plan_answers_and_links(open_page, example) -> None:
    at = open_page("teach", **example.view())
    assert not at.exception
    page = next(each.value for each in at.html if 'class="plan"' in each.value)
    for chapter in CHAPTERS:
        assert f"chapter={chapter.slug}&amp;step=do&amp;show=open" in page
    assert page.count("class=right") == 2 * len(CHAPTERS)
    assert f"atlas={example.atlas}" in page
    assert "45–48" not in page
    assert "48–50 min" in page
    assert any("@media print" in each.value for each in at.html)
