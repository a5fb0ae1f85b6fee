"""Networks as buttons: a gallery of thumbnails, and named bars."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from app.figures.markup import visible
from app.figures.theme import rgb
from app.shell import resources, view_state
from app.shell.caches import trust
from app.shell.components import component
from app.widgets.frame import palette
from fnprune_core.atlas.membership import HIGH

_gallery, _bars = component("gallery"), component("bars")


def gallery(
    tiles: Sequence[dict[str, Any]],
    *,
    selected: int | None,
    key: str,
    on_pick: Callable[[int], None],
    name: str = "Networks",
    tall: bool = False,
) -> None:
    """Draw thumbnails that can be picked by mouse, finger or keyboard.

    Parameters
    ----------
    tiles : sequence of dict
        network, image (its source), name, facts, title, dropped.
    on_pick : callable
        Called with the network, before the page runs again.
    tall : bool
        Beside other content: scroll in place of growing.
    """
    data = {"tiles": list(tiles), "selected": selected, "name": name, "tall": tall}
    _gallery(key, data, picked=on_pick)


def tiles(atlas_id: str, networks: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """Return the tiles of an atlas's gallery, at the view's threshold.

    Parameters
    ----------
    networks : sequence of int, optional
        Those to show, in order; all by number if not given.
    """
    from app.shell.images.stills import thumbnails

    view = view_state.view()
    images = thumbnails(atlas_id, view.z, palette().mode)
    dropped = set(view.dropped) if atlas_id == view.atlas else set()
    rows = trust.network_table(atlas_id).to_dict("records")
    shown_networks = range(len(rows)) if networks is None else networks
    names, suggested = resources.network_names(atlas_id), resources.are_suggested(atlas_id)
    titles = [
        f"{name} (suggested)" if is_own_rule else name
        for name, is_own_rule in zip(names, suggested, strict=True)
    ]
    return [
        {
            **_tile(k, titles[k], rows[k], images[k], is_dropped=k in dropped),
            "name": names[k],
        }
        for k in shown_networks
    ]


def _tile(
    network: int, name: str, row: dict[Any, Any], image: str, *, is_dropped: bool
) -> dict[str, Any]:
    reproducibility = row.get("reproducibility", np.nan)
    mark = " (low)" if reproducibility < HIGH else ""
    trust = [] if np.isnan(reproducibility) else [f"r {reproducibility:.2f}{mark}"]
    facts = [f"L{row['peak_layer']}", *trust, f"{100 * row['variance_alone']:.1f} %"]
    return {
        "network": network,
        "image": image,
        "name": name,
        "facts": " · ".join(facts),
        "title": (
            f"Network {network}, {name}: {100 * row['top_domain_share']:.0f} % of its energy in "
            f"{row['top_domain']}, peak in layer {row['peak_layer']}, "
            + "".join(f"split-half {each}, " for each in trust)
            + f"alone {100 * row['variance_alone']:.2f} % of variance"
            + (", dropped" if is_dropped else "")
        ),
        "dropped": is_dropped,
    }


def bar_list(
    rows: Sequence[dict[str, Any]],
    *,
    key: str,
    on_pick: Callable[[int], None],
    selected: int | None = None,
    name: str = "Networks",
    oneway: bool = False,
) -> None:
    """Draw named bars, each a button.

    Parameters
    ----------
    rows : sequence of dict
        ``id`` (int), ``name``, ``note`` (its number in words), ``share`` in [−1, 1] (in [0, 1]
        if `oneway`), and optionally ``colour`` (``#rrggbb``).
    on_pick : callable
        Called with the id of the pressed row, before the page runs again.
    selected : int, optional
        Id of the row shown as pressed.
    """
    colours = palette()
    _bars(
        key,
        {
            "rows": [
                row
                | {"name": visible(str(row["name"])), "note": visible(str(row["note"]))}
                | ({"colour": rgb(row["colour"])} if row.get("colour") else {})
                for row in rows
            ],
            "hot": rgb(colours.hot[1]),
            "cold": rgb(colours.cold[1]),
            "selected": selected,
            "oneway": oneway,
            "name": name,
        },
        picked=on_pick,
    )
