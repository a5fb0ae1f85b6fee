"""What the dialog of search and lists shows: hits of a query, or the lists of a person."""

import streamlit as st

from app.figures.markup import token_strip
from app.shell import resources, wording
from app.shell.caches import networks
from app.shell.caches import search as cache
from app.widgets import frame
from app.widgets.controls import choose
from app.widgets.search import bookmarks
from app.widgets.search.items import item_row
from fnprune_core.atlas.lists.lists import Item
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.search.find import MAX_QUERY, SCORES, Hit

_PARTS = ("Search", "Lists")
_QUERY = "find-query"


def show(atlas_id: str) -> None:
    """Draw the choice of search or lists, and what is chosen."""
    atlas = resources.atlas(atlas_id)
    part = choose("Part", _PARTS, key="find-part")
    if part == "Lists":
        bookmarks.show_lists(atlas)
    else:
        _search(atlas)


def _search(atlas: NetworkAtlas) -> None:
    query = st.text_input(
        "Search",
        key=_QUERY,
        max_chars=MAX_QUERY,
        placeholder="A word, a token, a domain, “numbers”, a part of a name or note …",
        help=SCORES,
        persist_state="session",
    ).strip()
    if not query:
        domains = ", ".join(atlas.domain_names[:4])
        st.caption(
            wording.plain(
                f"Words are looked for in all texts that were recorded. Domains here: {domains}."
            )
        )
        return
    found = cache.find(atlas.id, query)
    if not found.knows_promoted:
        st.caption(
            "The model is not in memory: units are found by words and domains, and not by the "
            "tokens that they promote."
        )
    n_without = sum(len(atlas.members(k)) == 0 for k in range(atlas.n_networks))
    if n_without:
        st.caption(
            f"{wording.count(n_without, 'network')} without any unit ({atlas.rule()}) cannot be "
            "found by promoted tokens."
        )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _hits(atlas, "Networks", found.networks, query)
    with right:
        _hits(atlas, "Units", found.units, query)


def _hits(atlas: NetworkAtlas, title: str, hits: list[Hit], query: str) -> None:
    st.markdown(f"**{title}**")
    if not hits:
        st.caption(f"None found for “{wording.plain(query)}”.")
    for hit in hits:
        with st.container(border=True, gap="xxsmall"):
            item = Item(kind="network" if hit.kind == "network" else "unit", number=hit.number)
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                bookmarks.toggle(atlas, item, key=f"hit-mark-{item.kind}-{item.number}")
                item_row(atlas, item, key="hit")
            reasons = "; ".join(match.reason for match in hit.matches)
            st.caption(f"**{hit.score:.2f}** · {wording.plain(reasons)}")
            if hit.passage is not None:
                st.html(
                    token_strip(
                        hit.passage.pieces,
                        hit.passage.values,
                        limit=networks.strength(atlas.id, hit.number),
                        palette=frame.palette(),
                        centre=hit.passage.centre,
                    )
                )
