"""The search of every atlas page, bookmarks and lists, and links to what was found."""

from driving import drawn, press, view

from app.shell import resources
from app.shell.caches import search as cache
from fnprune_core.atlas.lists.lists import BOOKMARKS, Item


def search(at, query: str):
    press(at, "Find")
    return at.text_input(key="find-query").set_value(query).run()


def test_a_word_finds_networks_with_reasons_and_opens_one(open_page, example) -> None:
    at = open_page("connectome", **example.view())
    word = str(resources.atlas(example.atlas).tokens["text"].iloc[20]).strip()
    search(at, word)
    assert not at.exception
    found = cache.find(example.atlas, word)
    best = found.networks[0]
    captions = " ".join(each.value for each in at.caption).replace("\\", "")
    assert best.matches[0].reason in captions
    assert f"**{best.score:.2f}**" in captions
    assert not found.knows_promoted
    assert "model is not in memory" in captions
    link = drawn(at, f"hit-network-{best.number}-link")
    assert f"network={best.number}" in link["path"] or best.number == 0
    assert link["path"].startswith("atlas?")
    at.button(key=f"hit-network-{best.number}-open").click().run()
    assert view(at).network == best.number


def test_bookmarks_are_kept_and_lists_named_and_shown(open_page, example) -> None:
    at = open_page("atlas", **example.view(), network="2")
    at.button(key="network-bookmark").click().run()
    assert not at.exception
    network = Item(kind="network", number=2)
    assert cache.lists_of(example.atlas).items == {BOOKMARKS: (network,)}
    search(at, "2")
    at.segmented_control(key="find-part").set_value("Lists").run()
    assert not at.exception
    assert any(each.label.startswith("2 ·") for each in at.button)
    assert drawn(at, "list-network-2-link")["path"].startswith("atlas?")
    at.button(key="list-out-network-2").click().run()
    assert cache.lists_of(example.atlas).items == {}


def test_nothing_found_is_said_and_text_stays_plain(open_page, example) -> None:
    at = open_page("atlas", **example.view())
    search(at, "**no such word**")
    assert not at.exception
    assert sum("None found" in each.value for each in at.caption) == 2
    assert all("**no such" not in each.value.replace("\\*", "") for each in at.caption)
