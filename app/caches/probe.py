"""What the probe keeps: each network's usual strength."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import resources
from fnprune_core import probing


@st.cache_data(max_entries=8)
def usual_strength(id: str) -> NDArray[np.float64]:
    """Return each network's root mean square strength over the recording: (K,)."""
    return probing.usual_strength(resources.atlas(id))
