import pytest
import tiny
from driving import finish, press, said, view
from toy_localizer import forget_directions

from app.experiments.localizers import figures
from app.figures.theme import PAPER
from app.shell import resources
from fnprune_core.atlas import cortex
from fnprune_core.localizers import ready_made
from fnprune_core.localizers.decoding import DecodingSettings
from fnprune_core.localizers.run import localize, open_localizer
from fnprune_core.localizers.stimuli import Item, Localizer, localizer_of
from fnprune_core.models.loading import load_model
from fnprune_core.storage.workspace import Workspace

QUICK = DecodingSettings(n_permutations=49)


def toy(name: str = "language", *, has_templates: bool = True) -> Localizer:
    items = [
        Item(condition=condition, template=f"{template}", text=f"{word} {other} {word}")
        for condition, word in (("up", "aq"), ("down", "gy"))
        for template in range(6)
        for other in tiny.WORDS[10 + template : 50 : 8]
    ]
    return localizer_of(items, name=name, has_templates=has_templates)


def run(root, made, localizer: Localizer, settings: DecodingSettings = QUICK) -> str:
    return localize(
        Workspace(root),
        load_model(made.model),
        made.atlas,
        localizer,
        settings=settings,
    )


def shown(at) -> str:
    return " ".join(each.value for each in (*at.caption, *at.markdown, *at.subheader))


def test_page_without_an_atlas_offers_the_start(fresh, open_page) -> None:
    at = open_page("localizers")
    assert not at.exception
    assert any(button.label == "Go to the start" for button in at.button)


def test_a_ready_localizer_is_run_and_its_result_stays(example, open_page, monkeypatch) -> None:
    monkeypatch.setattr(ready_made, "load", lambda name: toy(name))
    cortex.lay_out(resources.workspace(), example.atlas)
    at = open_page("localizers", **example.view())
    assert not at.exception
    assert "Up against down" in shown(at)
    press(at, "Run")
    job = finish(at)
    assert job.state == "done", job.failure
    assert not at.exception
    assert view(at).localizer == "language"
    found = open_localizer(resources.workspace(), job.result)
    metrics = {metric.label: metric.value for metric in at.metric}
    assert metrics["Networks respond"].endswith(" of 6")
    assert metrics["p of decoding"] == f"{found.decoding.p:.2g}"
    assert len(at.get("plotly_chart")) == 4
    assert "the layout is computed" in shown(at)
    assert "t of every unit" in shown(at) or "no unit of" in shown(at)
    assert f"Network {found.order()[0]}:" in shown(at)
    # the link alone opens it again, at another network
    again = open_page(
        "localizers", **example.view(), localizer="language", show="network", network="3"
    )
    assert not again.exception
    assert "Network 3:" in shown(again)
    assert not [button for button in again.button if button.label == "Run"]
    # another ready one has not been run
    other = open_page("localizers", **example.view(), localizer="code")
    assert any(button.label == "Run" for button in other.button)


def test_a_result_of_before_random_directions_opens_says_so_and_gets_them(
    example, open_page, fresh, monkeypatch
) -> None:
    monkeypatch.setattr(ready_made, "load", lambda name: toy(name))
    id = run(fresh, example, toy("language"), DecodingSettings())
    forget_directions(Workspace(fresh), id)
    at = open_page("localizers", **example.view(), localizer="language")
    assert not at.exception
    assert "The control is missing" in shown(at)
    press(at, "Run")
    assert finish(at).result == id  # stored in the place of the old one
    assert not at.exception
    assert "of as many random directions" in shown(at)
    assert not [button for button in at.button if button.label == "Run"]


def test_what_does_not_fit_the_atlas_is_told_beside_the_button(example, open_page) -> None:
    at = open_page("localizers", **example.view(), localizer="dialogue")
    press(at, "Run")
    job = finish(at)
    assert job.state == "failed"
    assert not at.exception
    assert "a window has 32" in said(at)
    assert "divide it into two templates" in said(at)


def test_several_results_are_listed_and_ones_own_opens_by_its_id(example, open_page, fresh) -> None:
    first = run(fresh, example, toy("mine"))
    run(fresh, example, toy("blocks", has_templates=False))
    at = open_page("localizers", **example.view(), localizer=first)
    assert not at.exception
    assert "No places yet" not in said(at)
    table = at.dataframe[-1].value
    assert set(table["localizer"]) == {"mine", "blocks"}
    assert "haemodynamic" in shown(at)


@pytest.mark.parametrize("has_templates", [True, False])
def test_pictures_say_what_the_result_says(example, fresh, has_templates) -> None:
    found = open_localizer(
        Workspace(fresh), run(fresh, example, toy("mine", has_templates=has_templates))
    )
    names = [f"name {k}" for k in range(6)]
    ranked = figures.network_effects(found, names, selected=2, palette=PAPER)
    assert ranked.table["network"].tolist() == found.order().tolist()
    top = ranked.figure.data[-1]
    assert top.x[-1] == pytest.approx(found.networks.effect[found.order()[0]], rel=1e-5)
    course = figures.block_course(found, 2, palette=PAPER)
    assert {trace.name for trace in course.figure.data[1:]} == {"up", "down"}
    assert len(course.figure.data[0].x) == int((~found.tokens["is_dummy"]).sum())
    null = figures.decoding_null(found, palette=PAPER)
    assert sum(null.figure.data[0].y) == 49
    assert len(figures.template_effects(found, 2, palette=PAPER).table) == (
        6 if has_templates else len(found.blocks)
    )
    design = figures.design_picture(found, palette=PAPER).figure
    assert design.data[0].z.shape[1] == len(found.blocks)
    assert (design.data[0].z >= 0).sum(axis=1).tolist() == [1] * design.data[0].z.shape[0]


def test_ones_own_file_is_read_refused_and_run(example, open_page) -> None:
    at = open_page("localizers", **example.view(), localizer="own")
    upload = at.get("file_uploader")[0]
    upload.upload("mine.csv", b"condition,text\nup,one word\nup,two words\n").run()
    assert not at.exception
    assert "condition" in said(at)
    assert not [button for button in at.button if button.label == "Run"]
    rows = [f"{item.condition},{item.template},{item.text}" for item in toy().items]
    file = "\n".join(["condition,template,text", *rows]).encode()
    at.get("file_uploader")[0].upload("mine.csv", file).run()
    assert "Up against down" in shown(at)
    press(at, "Run")
    job = finish(at)
    assert job.state == "done", job.failure
    assert not at.exception
    assert view(at).localizer == job.result  # its link needs no file
    assert "Network" in shown(at)
