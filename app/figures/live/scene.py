"""What the live scanner is given: the runs of a text, the body, and what networks are called."""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.figures.markup import visible
from app.figures.theme import READING_ROOM as FILM
from fnprune_core.atlas.images.live_body import LiveBody
from fnprune_core.atlas.live import LiveRun

HEALTHY = "Healthy"
KEYS = (
    "Space plays and pauses, arrow keys go one token back or on, Home and End to the first and "
    "the last."
)
WITHOUT = "This browser has no WebGL2, so the body stands still; the rest runs."
_STEPS = 100  # of a relative strength, which then fits into 16 bits
_MOST_TIMES = 32_000 / _STEPS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveScene:
    """A text in the live scanner.

    Parameters
    ----------
    body : LiveBody
    runs : sequence of LiveRun
        The healthy run, and the lesioned one if there is one: the same tokens.
    silenced : ndarray (n_units,) of bool or None
        The units that the lesion takes.
    lesion : str
        What the lesioned body is called.
    names, colours : sequence of str (K,)
        Of the networks; colours for dark film, as scans are shown in both modes.
    n_prompt_tokens : int
        First tokens that were given, where the model wrote the others.
    """

    body: LiveBody
    runs: Sequence[LiveRun]
    silenced: NDArray[np.bool_] | None
    lesion: str
    names: Sequence[str]
    colours: Sequence[str]
    n_prompt_tokens: int = 0

    @property
    def healthy(self) -> LiveRun:
        """The run of the model as it is."""
        return self.runs[0]

    @property
    def labels(self) -> list[str]:
        """What each body is called."""
        return [HEALTHY, self.lesion][: len(self.runs)]

    def holes(self) -> list[NDArray[np.uint32]]:
        """Return the voxels that are dark in each body: none, and those of the lesion."""
        none = np.empty(0, dtype=np.uint32)
        holes = [none]
        if self.silenced is not None:
            holes.append(self.body.voxels_of(self.silenced))
        return holes[: len(self.runs)]

    def brightest(self) -> int:
        """Return the token at which one network exceeds its usual strength most."""
        return int(np.abs(self.healthy.relative()).max(axis=0).argmax())


def data_of(scene: LiveScene, *, body: str, library: str) -> dict[str, Any]:
    """Return a scene as the component's data: JSON values.

    Parameters
    ----------
    body, library : str
        Addresses of the body's file and of the viewer's script.
    """
    run = scene.healthy
    data: dict[str, Any] = {
        "body": body,
        "library": library,
        "pieces": [visible(piece) for piece in run.pieces],
        "dummy": np.flatnonzero(run.is_dummy).tolist(),
        "n_prompt": scene.n_prompt_tokens,
        "runs": [
            {
                "label": label,
                "relative": _packed(each.relative()),
                "surprise": [
                    None if value != value else round(value, 2) for value in each.surprise.tolist()
                ],
                "hole": base64.b64encode(hole.astype("<u4").tobytes()).decode(),
            }
            for label, each, hole in zip(scene.labels, scene.runs, scene.holes(), strict=True)
        ],
        "names": [visible(name) for name in scene.names],
        "colours": list(scene.colours),
        "canvas": FILM.canvas,
        "text": FILM.text,
        "quiet": FILM.quiet,
        "accent": FILM.accent,
        "hot": list(FILM.hot),
        "cold": list(FILM.cold),
        "name": "Live scanner",
        "alternative": alternative(scene),
        "keys": KEYS,
        "without": WITHOUT,
    }
    # The browser begins anew only with another text or body.
    return data | {"version": f"{zlib.crc32(repr(data).encode('utf-8', 'replace')):08x}"}


def _packed(relative: NDArray[np.float64]) -> str:
    levels = np.rint(np.clip(relative, -_MOST_TIMES, _MOST_TIMES) * _STEPS)
    return base64.b64encode(levels.astype("<i2").tobytes()).decode()


def alternative(scene: LiveScene) -> str:
    """Return in words what the live scanner shows of a text."""
    run = scene.healthy
    winners = run.strongest(1)[0]
    told = winners[winners >= 0]
    counts = np.bincount(told, minlength=run.n_networks)
    leaders = [int(k) for k in np.argsort(-counts, kind="stable")[:3] if counts[k]]
    leader_texts = [
        f"network {k}, {visible(scene.names[k])}, on {100 * (counts[k] / max(len(told), 1)):.0f} %"
        for k in leaders
    ]
    sentences = [f"{run.n_tokens} tokens; strongest is most often {'; '.join(leader_texts)}."]
    if not np.isnan(run.surprise).all():
        token = int(np.nanargmax(run.surprise))
        piece = visible(run.pieces[token]).strip() or "white space"
        sentences.append(
            f"Mean surprise {np.nanmean(run.surprise):.2f} nats per token"
            + "".join(f", lesioned {np.nanmean(each.surprise):.2f}" for each in scene.runs[1:])
            + f"; most at “{piece}”, token {token}, {run.surprise[token]:.1f}."
        )
    return " ".join(sentences)


def table_of(scene: LiveScene) -> pd.DataFrame:
    """Return one row per token: its text, surprise, and the three strongest networks."""
    run = scene.healthy
    shares, relative, strongest = run.shares(), run.relative(), run.strongest(3)
    columns: dict[str, Any] = {
        "token": np.arange(run.n_tokens),
        "text": [visible(piece) for piece in run.pieces],
        "surprise, nats": run.surprise.round(3),
    }
    if len(scene.runs) > 1:
        columns["surprise lesioned, nats"] = scene.runs[1].surprise.round(3)
    tokens = np.arange(run.n_tokens)
    for place, networks in enumerate(strongest, start=1):
        is_told = networks >= 0
        columns[f"network {place}"] = pd.array(
            [int(k) if told else pd.NA for k, told in zip(networks, is_told, strict=True)],
            dtype="Int64",
        )
        columns[f"name {place}"] = [
            visible(scene.names[k]) if told else ""
            for k, told in zip(networks, is_told, strict=True)
        ]
        columns[f"share {place}"] = np.where(is_told, shares[networks, tokens], np.nan).round(4)
        columns[f"times usual {place}"] = np.where(
            is_told, relative[networks, tokens], np.nan
        ).round(2)
    return pd.DataFrame(columns)
