"""Atlases of known maps and time courses on a few sessions of two domains."""

import warnings

import numpy as np
import pandas as pd

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.models.layout import UnitLayout

LAYOUT = UnitLayout((30, 20, 50))
N_NETWORKS, WINDOW, N_SESSIONS, N_DUMMY = 4, 40, 6, 3
N_TOKENS = WINDOW * N_SESSIONS
# Domain of each session: five of prose, one of code.
DOMAINS = np.repeat([0, 0, 0, 0, 0, 1], WINDOW)


def token_table() -> pd.DataFrame:
    position = np.tile(np.arange(WINDOW), N_SESSIONS)
    return pd.DataFrame(
        {
            "session": np.repeat(np.arange(N_SESSIONS), WINDOW),
            "position": position,
            "text": [f"t{i % 9}" for i in range(N_TOKENS)],
            "document": pd.Categorical([f"d{d}" for d in np.repeat(np.arange(3), 2 * WINDOW)]),
            "domain": pd.Categorical.from_codes(DOMAINS, categories=pd.Index(["prose", "code"])),
            "is_dummy": position < N_DUMMY,
        }
    )


def atlas_of(*, maps=None, courses=None, alive=None) -> NetworkAtlas:
    rng = np.random.default_rng(0)
    if maps is None:
        maps = rng.laplace(size=(N_NETWORKS, LAYOUT.n_units))
    if courses is None:
        courses = rng.standard_normal((len(maps), WINDOW * N_SESSIONS))
    k = len(maps)
    decomposition = Decomposition(
        spatial_maps=np.asarray(maps, dtype=np.float32),
        time_courses=np.asarray(courses, dtype=np.float32),
        run_agreement=np.linspace(0.5, 0.9, k),
        variance_alone=np.linspace(0.1, 0.2, k),
        variance_left_out=np.linspace(0.01, 0.02, k),
        variance_explained=0.4,
        layer_of_network=np.full(k, -1),
        alive=np.ones(LAYOUT.n_units, dtype=bool) if alive is None else alive,
        n_iter=np.array([3]),
        converged=np.array([True]),
        layout=LAYOUT,
        recording_id="r",
        fingerprint="f",
        settings={},
        id="an-atlas",
    )
    return NetworkAtlas(decomposition, token_table())


def usable() -> np.ndarray:
    return np.tile(np.arange(WINDOW), N_SESSIONS) >= N_DUMMY


def long_atlas(courses, *, session_length) -> NetworkAtlas:
    """An atlas whose tokens are cut into sessions of another length."""
    atlas = atlas_of(courses=np.zeros((len(courses), N_TOKENS)), maps=np.eye(len(courses), 100))
    n = courses.shape[1]
    tokens = atlas.tokens.iloc[np.arange(n) % N_TOKENS].reset_index(drop=True)
    tokens["session"] = np.arange(n) // session_length
    tokens["position"] = np.arange(n) % session_length
    tokens["is_dummy"] = tokens["position"] < 2
    tokens["document"] = [f"d{s}" for s in tokens["session"]]
    tokens["domain"] = pd.Categorical(["prose"] * n)
    changed = {f: getattr(atlas.decomposition, f) for f in atlas.decomposition.__slots__}
    decomposition = type(atlas.decomposition)(**{**changed, "time_courses": courses})
    return type(atlas)(decomposition, tokens)


def atlas_from(recording, **options) -> NetworkAtlas:
    """Four networks of a recording."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        fitted = GroupICA(n_components=4, n_runs=1, max_iter=60, **options).fit(recording)
    return NetworkAtlas(fitted.result_, recording.tokens)
