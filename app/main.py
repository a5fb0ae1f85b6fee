"""Entry point of the app: its guarded server, and the script that each visit runs; no logic.

`streamlit run` imports this file for the application that it serves, and that application runs
the same file for each visit. What pages need is imported in the background, once the server is up.
"""

import streamlit as st

from app import pages
from app.doors import early, front, guard, opening
from app.shell.images import routes as image_routes
from fnprune_core.assets import asset
from fnprune_core.machine import memory


def listed(*rows: pages.Page) -> list[st.Page]:
    """Return all views of pages; the navigation shows the first, the bar above a page the others.

    Of the atlas it shows only the first page.
    """
    return [
        st.Page(
            view.path,
            url_path=view.url,
            title=_label(row) if view is row else view.title,
            icon=f":material/{row.icon}:",
            help=view.help,
            default=view.url == "start",
            visibility="visible" if view is row and row not in pages.ATLAS[1:] else "hidden",
        )
        for row in rows
        for view in row.views
    ]


def _label(row: pages.Page) -> str:
    return "Atlas" if row is pages.ATLAS[0] else row.label


def visit() -> None:
    """Draw the page that a visit is on, in its frame."""
    st.set_page_config(page_title="fnprune", page_icon=str(asset("static/icon.png")), layout="wide")
    if why := opening.refusal(st.context.headers):
        st.error(why)
        st.stop()
    from app.shell import navigation
    from app.widgets import frame
    from app.widgets.search import dialog

    st.logo(str(asset(f"static/logo-{frame.mode()}.svg")), size="large")
    page = st.navigation(
        {
            "": listed(*pages.WORK, *pages.ATLAS, pages.PRUNE, pages.EXPORT, pages.LEARN),
            "Results": listed(*pages.RESULTS),
            "Experiment": listed(*pages.EXPERIMENT),
        },
        position="top",
    )
    if page.url_path not in ("", "start"):  # Start shows what was drawn before without waiting
        early.wait()
    navigation.synchronise()
    frame.frame(page.url_path, find=dialog.offer)
    dialog.listen_to_slash()
    with frame.explaining():
        page.run()


if __name__ == "__main__":
    visit()
else:
    memory.prefer_large_pages()
    opening.check()
    streamlit_app = st.App(
        __file__,
        routes=[*front.routes(), *image_routes.routes()],
        middleware=guard.middleware(),
        lifespan=opening.announced,
    )
