"""Arrays in, pictures out: plotly figures with their text alternative and their numbers.

Every function is pure, knows no streamlit, and returns a `Picture`. Arrays go to the browser as
float32 or int8, pooled to the screen.
"""

from app.figures.base import Picture
from app.figures.cortex import cortex_surfaces
from app.figures.layer_profile import removal_profile
from app.figures.maps import cortex_projections, cortex_slices
from app.figures.networks import (
    domain_bars,
    network_map,
    parcellation_map,
    stability_scatter,
    time_course,
    variance_bars,
)
from app.figures.recordings import carpet_plot, layer_lines

__all__ = [
    "Picture",
    "carpet_plot",
    "cortex_projections",
    "cortex_slices",
    "cortex_surfaces",
    "domain_bars",
    "layer_lines",
    "network_map",
    "parcellation_map",
    "removal_profile",
    "stability_scatter",
    "time_course",
    "variance_bars",
]
