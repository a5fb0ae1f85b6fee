"""A real brain as the browser gets it: nilearn's template of the head, and its motor map."""

from typing import Any

import nibabel as nib
import numpy as np
from nilearn import datasets

from app.figures import nilearn_plots
from app.figures.nilearn_plots import Overlay
from app.figures.theme import READING_ROOM
from app.shell.caching import cached
from fnprune_core.atlas.images import volumes

_RESOLUTION_MM = 3  # as the motor map has it
_BRIGHTEST = 255


@cached(max_entries=1)
def anatomy_file() -> bytes:
    """Return the MNI152 template as a ``.nii.gz`` file: grey from 0 to 255."""
    return volumes.compressed(_template())


def _template() -> Any:
    template = datasets.load_mni152_template(resolution=_RESOLUTION_MM)
    values = np.asarray(template.get_fdata(dtype=np.float32))
    grey = np.rint(_BRIGHTEST * np.clip(values / values.max(), 0, 1)).astype(np.uint8)
    image = nib.Nifti1Image(grey, template.affine)
    image.header["cal_max"] = _BRIGHTEST
    return image


@cached(max_entries=1)
def motor_file() -> bytes:
    """Return nilearn's map of a motor task as a ``.nii.gz`` file: left against right button."""
    motor = nilearn_plots.motor_map()
    values = np.nan_to_num(np.asanyarray(motor.dataobj, dtype=np.float32))
    # Its first axis runs to the left: turned, so that it lies as the template does.
    image = nib.as_closest_canonical(nib.Nifti1Image(values, motor.affine))
    image.header.set_xyzt_units("mm")
    image.set_data_dtype(np.int16)
    return volumes.compressed(image)


@cached(max_entries=8)
def motor_still(*, z: float, limit: float) -> bytes:
    """Return the motor map on the template, as PNG."""
    motor = nilearn_plots.motor_map()
    overlay = Overlay(image=motor, colours=None, low=z, high=max(limit, 1.01 * z))
    return nilearn_plots.overlaid(
        _template(), [overlay], at=nilearn_plots.peak_of(motor), palette=READING_ROOM
    )
