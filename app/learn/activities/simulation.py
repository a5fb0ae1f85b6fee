"""The activity of the chapter on ICA: networks planted in a simulated brain, and their recovery."""

import streamlit as st

from app.learn import data as cache
from app.learn.brain_figures import found_maps, match_bars
from app.learn.lesson import Finding
from app.shell import glossary
from app.widgets import frame
from app.widgets.picture import draw_picture
from fnprune_core.teaching import simulated_fmri

_NOISE = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
_PEOPLE = (1, 2, 4, 8, 16)
FOUND_FROM = 0.7
_SHORT = {"DefaultMode": "Default", "SomatomotorDorsal": "Motor", "FrontoParietal": "Fronto-p."}
#: What the prediction was about.
ASKED = (4, 0.5)


def planted() -> Finding | None:
    """Draw what was planted, what ICA and PCA find, and how well they match."""
    left, right = st.columns(2, gap="large")
    with left:
        n_people: int = st.select_slider(
            "People in the scanner",
            _PEOPLE,
            value=ASKED[0],
            key="lesson-people",
            help=glossary.tip("subject"),
        )
    with right:
        noise: float = st.select_slider(
            "Noise, in multiples of the signal",
            _NOISE,
            value=ASKED[1],
            key="lesson-noise",
            help="Standard deviation of a voxel's noise over that of a network at its peak.",
        )
    head, palette = simulated_fmri.head(), frame.palette()
    names = [_SHORT.get(name, name) for name in simulated_fmri.PLANTED]
    ica, pca = cache.recovered(n_people, noise, 0)
    rows = {
        "Planted": [head.volume(network) for network in cache.planted_maps()],
        "ICA": [head.volume(network) for network in ica.maps],
        "PCA": [head.volume(network) for network in pca.maps],
    }
    r = {"ICA": ica.r, "PCA": pca.r}
    left, right = st.columns([3, 2], gap="large")
    with left:
        draw_picture(found_maps(rows, names, r, palette=palette), key="lesson-found")
    with right:
        st.subheader("Match with the truth", anchor=False)
        draw_picture(
            match_bars(r, names, found_from=FOUND_FROM, palette=palette), key="lesson-match"
        )
        people_text = "1 person" if n_people == 1 else f"{n_people} people"
        st.caption(
            f"{people_text}, {simulated_fmri.N_SCANS} scans each, one in {simulated_fmri.T_R_S:g} "
            f"s; {len(head.voxels):,} voxels of "
            f"{simulated_fmri.VOXEL_MM} mm inside nilearn's MNI152 brain. Places of networks: "
            "Seitzman et al. 2020. All else is simulated."
        )
    asked_ica, asked_pca = cache.recovered(*ASKED, 0)
    supports = "ica" if asked_ica.r.mean() > asked_pca.r.mean() else "pca"
    if max(asked_ica.r.mean(), asked_pca.r.mean()) < 0.3:
        supports = "neither"
    return Finding(
        sentence=f"With {ASKED[0]} people and noise {ASKED[1]:g}, the mean |r| to the truth is "
        f"{asked_ica.r.mean():.2f} for ICA and {asked_pca.r.mean():.2f} for PCA. As you have it "
        f"now, ICA finds {ica.n_found(FOUND_FROM)} of {len(names)} (|r| above {FOUND_FROM:g}).",
        supports=supports,
    )
