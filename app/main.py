"""Entry point of the app: its guarded server, and the script that each visit runs; no logic.

`streamlit run` imports this file for the application that it serves, and that application runs
the same file for each visit. What pages need is imported by a visit, when the server is up.
"""

from collections.abc import Sequence

import streamlit as st

from app import pages
from app.doors import guard, opening
from app.shell.images import routes as image_routes
from fnprune_core.assets import asset


def listed(rows: Sequence[pages.Page]) -> list[st.Page]:
    """Return the navigation's pages; of the atlas only the first, for the bar shows the others."""
    return [
        st.Page(
            row.path,
            url_path=row.url,
            title="Atlas" if row is pages.ATLAS[0] else row.title,
            icon=f":material/{row.icon}:",
            help=row.help,
            default=row.url == "start",
            visibility="hidden" if row in pages.ATLAS[1:] else "visible",
        )
        for row in rows
    ]


def visit() -> None:
    """Draw the page that a visit is on, in its frame."""
    st.set_page_config(page_title="fnprune", page_icon=str(asset("static/icon.png")), layout="wide")
    if why := opening.refusal(st.context.headers):
        st.error(why)
        st.stop()
    from app.shell import view_state
    from app.widgets import frame

    st.logo(str(asset(f"static/logo-{frame.mode()}.svg")), size="large")
    page = st.navigation(
        {
            "": listed([*pages.WORK, *pages.ATLAS, pages.PRUNE]),
            "Results": listed(pages.AFTER),
            "Experiment": listed(pages.EXPERIMENT),
            "Learn": listed(pages.LEARN),
        },
        position="top",
    )
    view_state.synchronise()
    frame.frame()
    with frame.explaining():
        page.run()


if __name__ == "__main__":
    visit()
else:
    opening.check()
    streamlit_app = st.App(
        __file__,
        routes=image_routes.routes(),
        middleware=guard.middleware(),
        lifespan=opening.announced,
    )
