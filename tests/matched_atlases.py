"""Atlases of known maps and courses, and tables of tokens, to be matched."""

import numpy as np
import pandas as pd

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.models.layout import UnitLayout

N_UNITS = 300
SESSIONS, LENGTH = 4, 40


def token_table(pieces, *, session=None, n_dummy=0, document="a text") -> pd.DataFrame:
    """A token table as recordings have them; ids by first appearance of a text."""
    session = np.zeros(len(pieces), dtype=int) if session is None else np.asarray(session)
    position = np.concatenate([np.arange(n) for n in np.bincount(session)])
    return pd.DataFrame(
        {
            "session": session,
            "position": position,
            "token_id": pd.factorize(np.array(pieces, dtype=object))[0],
            "text": pieces,
            "document": pd.Categorical([document] * len(pieces)),
            "domain": pd.Categorical(["prose"] * len(pieces)),
            "is_dummy": position < n_dummy,
        }
    )


def atlas_of(maps, courses=None, *, tokens=None, fingerprint="a model", alive=None, id="0" * 16):
    """An atlas with these maps and time courses."""
    maps = np.asarray(maps, dtype=np.float32)
    if tokens is None:
        session = np.repeat(np.arange(SESSIONS), LENGTH)
        tokens = token_table([f"w{i}" for i in range(len(session))], session=session)
    if courses is None:
        courses = np.random.default_rng(9).standard_normal((len(maps), len(tokens)))
    k = len(maps)
    return NetworkAtlas(
        Decomposition(
            spatial_maps=maps,
            time_courses=np.asarray(courses, dtype=np.float32),
            run_agreement=np.ones(k),
            variance_alone=np.full(k, 0.1),
            variance_left_out=np.full(k, 0.1),
            variance_explained=0.5,
            layer_of_network=np.full(k, -1),
            alive=np.ones(maps.shape[1], dtype=bool) if alive is None else alive,
            n_iter=np.array([5]),
            converged=np.array([True]),
            layout=UnitLayout((maps.shape[1],)),
            recording_id="1" * 16,
            fingerprint=fingerprint,
            settings={},
            id=id,
        ),
        tokens,
    )
