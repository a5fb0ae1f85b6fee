"""The button that copies a link to one thing: a network, a unit, a passage, a plan."""

from app.shell.components import component

_copy_link = component("copy_link")


def copy_link(path: str, *, what: str, key: str, label: str = "Copy link") -> None:
    """Draw a button that copies the address of a thing.

    Parameters
    ----------
    path : str
        As `view_state.link` returns it.
    what : str
        What the link opens, in words: “network 5”.
    """
    _copy_link(key=key, data={"path": path, "what": what, "label": label}, width="content")
