"""Every page: cold, with an example, and with wrong input; no exception, a message, state kept."""

from dataclasses import asdict

import pytest
from driving import press, said, view

from app import pages
from app.shell import resources
from fnprune_core.example.ids import ExampleIds
from fnprune_core.storage.json_files import write_checked_json

NEXT_STEP = {
    "start": "Build the example",
    "record": "Load the model and estimate",
    "decompose": "Record",
    "atlas": "Go to the start",
    "prune": "Go to the start",
    **dict.fromkeys(("unit", "carpet", "embedding", "lesions"), "Go to the start"),
}


#: Addresses that links have held since there were pages; what they opened is now often a view.
ADDRESSES = (
    *("start", "record", "decompose", "atlas", "parcellation", "connectome", "embedding", "carpet"),
    *("probe", "live", "unit", "trust", "compare", "scanner", "files", "prune", "plans"),
    *("generations", "export", "report", "localizers", "lesions", "learn", "glossary", "teach"),
)


def labels(at) -> list[str]:
    return [button.label for button in at.button]


def test_few_pages_and_all_addresses_open() -> None:
    assert len(pages.PAGES) <= 16
    assert {view.url for view in pages.VIEWS} >= set(ADDRESSES)


@pytest.mark.parametrize("page", [page for page in pages.PAGES if page.more], ids=lambda p: p.url)
def test_each_view_of_a_page_is_one_press_from_the_others(open_page, example, page) -> None:
    links = {link.label for link in open_page(page.views[-1].url, **example.view()).page_link}
    assert {view.title for view in page.views} <= links


@pytest.mark.parametrize("page", NEXT_STEP)
def test_cold_page_says_what_to_do_next(open_page, page) -> None:
    at = open_page(page)
    assert not at.exception
    assert not at.error
    assert NEXT_STEP[page] in labels(at)


@pytest.mark.parametrize("page", ["atlas", "lesions"])
def test_a_page_that_needs_an_atlas_opens_the_example(open_page, example, page) -> None:
    workspace = resources.workspace()
    ids = ExampleIds(recording_id=example.recording, decomposition_id=example.atlas)
    write_checked_json(workspace.root / "example.json", asdict(ids))
    at = open_page(page)
    assert not at.exception
    assert (view(at).atlas, view(at).recording) == (example.atlas, example.recording)
    assert "Go to the start" not in labels(at)
    other = open_page(page, atlas="1" * 16)  # what a link names is not replaced
    assert view(other).atlas == "1" * 16


def test_the_bar_names_what_is_open(open_page, example) -> None:
    at = open_page("start", **example.view())
    assert not at.exception
    assert not at.error
    bar = [link.value for link in at.page_link]
    assert bar[2] == "6 networks"
    assert "2 domains" in bar[1]


@pytest.mark.parametrize("page", ["record", "decompose", "atlas", "prune"])
def test_ids_that_no_longer_exist_are_told_and_put_away(open_page, page) -> None:
    at = open_page(page, recording="0" * 16, atlas="1" * 16, job="3" * 12)
    assert not at.exception
    assert "There is no" in said(at)
    press(at, "Go on without it")
    assert not at.error
    assert view(at).recording == view(at).atlas == ""
    assert NEXT_STEP[page] in labels(at)


def test_missing_plan_is_put_away_alone(open_page, example) -> None:
    at = open_page("prune", **example.view(), plan="2" * 16)
    press(at, "Go on without it")
    assert not at.error
    assert (view(at).atlas, view(at).plan) == (example.atlas, "")


def test_link_to_an_atlas_brings_its_recording(open_page, example) -> None:
    at = open_page("prune", atlas=example.atlas)
    assert view(at).recording == example.recording


def test_url_opens_network_and_threshold(open_page, example) -> None:
    at = open_page("atlas", **example.view(), network="4", z="2.5")
    assert at.title[0].value == "Network 4"
    assert at.slider(key="atlas-z").value == 2.5


@pytest.mark.parametrize("page", ["atlas", "prune"])
def test_nonsense_in_the_url_falls_back(open_page, example, page) -> None:
    at = open_page(page, **example.view(), network="-7", z="nan", drop="x-y.4-", plan="../..")
    assert not at.exception
    assert not at.error


def test_a_bug_is_shown_with_a_reference_and_no_traceback(open_page, example, monkeypatch) -> None:
    def fail(*arguments, **options):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("app.atlas.networks.map.network_map", fail)
    at = open_page("atlas", **example.view())
    assert not at.exception
    assert "The server's log has the details" in said(at)
    assert "secret" not in said(at)
