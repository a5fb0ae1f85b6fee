"""Pictures by nilearn itself, on the model's volume and on the real brain: PNG bytes."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import nibabel as nib
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from nilearn import datasets, plotting
from nilearn.reporting import get_clusters_table
from numpy.typing import NDArray

from app.figures.drawing import cold_hot, drawing
from app.figures.theme import PALETTES, Palette, diverging_scale

mpl.use("Agg")

Place = tuple[float, float, float]
_DPI = 160


@contextmanager
def _canvas(palette: Palette) -> Iterator[None]:
    """Hold matplotlib for nilearn, which draws with pyplot, and leave no figure open."""
    with drawing(palette):
        try:
            yield
        finally:
            plt.close("all")


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI)
    return stream.getvalue()


def motor_map() -> Any:
    """Return nilearn's bundled map of a motor task, z over the voxels of a real brain."""
    return nib.load(Path(datasets.load_sample_motor_activation_image()))


def peak_of(image: Any) -> Place:
    """Return where the highest value of an image is, in millimetres."""
    values = np.nan_to_num(np.asanyarray(image.dataobj, dtype=np.float32))
    voxel = np.unravel_index(int(values.argmax()), values.shape)
    x, y, z = nib.affines.apply_affine(image.affine, voxel[:3]).tolist()
    return x, y, z


def _outline(mask: Any) -> Any:
    """Return a mask with a margin, so that its edge can be drawn."""
    margin = 2
    padded = np.pad(np.asanyarray(mask.dataobj).astype(np.float32), margin)
    affine = mask.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, float(margin))
    return nib.Nifti1Image(padded, affine)


def largest_cluster(image: Any, *, threshold: float) -> Place:
    """Return the middle of an image's largest cluster beyond a threshold, in millimetres."""
    x, y, z = plotting.find_xyz_cut_coords(image, activation_threshold=threshold)
    return float(x), float(y), float(z)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlay:
    """An image that is drawn over an anatomy.

    Parameters
    ----------
    image : NIfTI image
    colours : sequence of str or None
        From `low` to `high`; None for a map of two signs, cold and hot.
    low, high : float
        Magnitudes of the first and the last colour; below `low` nothing is drawn.
    """

    image: Any
    colours: Sequence[str] | None
    low: float
    high: float


def overlaid(anatomy: Any, overlays: Sequence[Overlay], *, at: Place, palette: Palette) -> bytes:
    """Return three cuts through images on an anatomy, as PNG."""
    with _canvas(palette):
        figure = plt.figure(figsize=(7.2, 2.9))
        display = plotting.plot_anat(
            anatomy,
            figure=figure,
            axes=(0.01, 0.02, 0.98, 0.96),
            annotate=False,
            cut_coords=at,
            vmin=0,
            vmax=255,
            black_bg=palette.mode == "dark",
            colorbar=False,
        )
        for overlay in overlays:
            is_signed = overlay.colours is None
            scale = (
                diverging_scale(palette, threshold=overlay.low, limit=overlay.high)
                if overlay.colours is None
                else list(overlay.colours)
            )
            display.add_overlay(
                overlay.image,
                threshold=overlay.low,
                cmap=LinearSegmentedColormap.from_list("overlay", scale)
                if is_signed
                else ListedColormap(scale),
                vmin=-overlay.high if is_signed else overlay.low,
                vmax=overlay.high,
                colorbar=is_signed,
                resampling_interpolation="nearest",
            )
        return _png(figure)


def prob_atlas(
    image: Any,
    *,
    threshold: float,
    colours: Sequence[str],
    layers: Sequence[int],
    palette: Palette,
    mask: Any,
) -> bytes:
    """Return `plot_prob_atlas` of a few maps (x, y, z, n), one colour each, as PNG.

    Parameters
    ----------
    layers : sequence of int
        Whose sheets are cut and named, upward.
    """
    heights = [float(image.affine[2, 2] * layer + image.affine[2, 3]) for layer in layers]
    with _canvas(palette):
        figure = plt.figure(figsize=(7.2, 2.0 if len(heights) < 5 else 1.6))
        display = plotting.plot_prob_atlas(
            image,
            figure=figure,
            view_type="filled_contours",
            threshold=threshold,
            axes=(0.01, 0.02, 0.98, 0.96),
            bg_img=None,
            annotate=False,
            draw_cross=False,
            display_mode="z",
            cut_coords=heights,
            cmap=ListedColormap(list(colours)),
            colorbar=False,
            black_bg=palette.mode == "dark",
            alpha=0.85,
        )
        display.add_contours(_outline(mask), levels=[0.5], colors=[palette.quiet], linewidths=0.8)
        for cut_axes, layer in zip(display.axes.values(), layers, strict=True):
            cut_axes.ax.text(
                0.02, 0.98, f"layer {layer}", transform=cut_axes.ax.transAxes, va="top", size=8,
                color=palette.text, bbox={"fc": palette.canvas, "ec": "none", "pad": 1},
            )  # fmt: skip
        return _png(figure)


def markers(
    places: Mapping[str, NDArray[np.floating]], *, colours: Mapping[str, str], palette: Palette
) -> bytes:
    """Return regions of named networks on nilearn's glass brain, as PNG.

    Parameters
    ----------
    places : mapping
        Name → centres (n, 3), millimetres in MNI space.
    """
    names = list(places)
    with _canvas(palette):
        figure = plt.figure(figsize=(7.2, 2.9))
        display = plotting.plot_glass_brain(
            None,
            figure=figure,
            axes=(0.01, 0.02, 0.98, 0.96),
            annotate=False,
            black_bg=palette.mode == "dark",
        )
        for name in names:
            display.add_markers(places[name], marker_color=colours[name], marker_size=22)
        for axes in figure.axes:  # nilearn's black is not the page's
            axes.set_facecolor(palette.canvas)
            axes.patch.set_facecolor(palette.canvas)
        figure.patch.set_facecolor(palette.canvas)
        return _png(figure)


def carpet(
    signals: NDArray[np.floating],
    groups: NDArray[np.integer],
    *,
    names: Sequence[str],
    colours: Sequence[str],
    palette: Palette,
) -> bytes:
    """Return `plot_carpet` of signals as PNG.

    Parameters
    ----------
    signals : ndarray (n_units, n_tokens)
        As an image of one row of voxels: a carpet does not look at places.
    groups : ndarray (n_units,)
        Group of each unit, from 0; each has one of `names` and one of `colours`.
    """
    image = nib.Nifti1Image(signals.astype(np.float32)[:, None, None, :], np.eye(4))
    labels = nib.Nifti1Image((groups + 1).astype(np.int32)[:, None, None], np.eye(4))
    with _canvas(palette):
        figure = plt.figure(figsize=(7.2, 4.2))
        plotting.plot_carpet(
            image,
            mask_img=labels,
            mask_labels={name: index + 1 for index, name in enumerate(names)},
            t_r=1,
            detrend=False,
            standardize="zscore_sample",
            vmin=-2,
            vmax=2,
            figure=figure,
            cmap=LinearSegmentedColormap.from_list("greys", palette.greys),
            cmap_labels=ListedColormap(list(colours)),
        )
        for axes in figure.axes:
            if axes.get_xlabel():
                axes.set_xlabel("token")
                axes.xaxis.set_major_formatter("{x:.0f}")
        figure.subplots_adjust(bottom=0.14, top=0.97)
        return _png(figure)


def matrix(values: NDArray[np.floating], *, palette: Palette) -> bytes:
    """Return `plot_matrix` of correlations, reordered by clustering, as PNG.

    The colours reach to the strongest correlation of two different networks.
    """
    others = np.abs(values[~np.eye(len(values), dtype=bool)])
    limit = max(float(np.ceil(10 * np.quantile(others, 0.99)) / 10), 0.1) if others.size else 1.0
    with _canvas(palette):
        figure = plt.figure(figsize=(9.6, 8.0))
        axes = figure.add_axes((0.05, 0.06, 0.86, 0.92))
        plotting.plot_matrix(
            values,
            axes=axes,
            vmin=-limit,
            vmax=limit,
            cmap=cold_hot(palette),
            reorder="average" if len(values) > 2 else False,
            labels=[str(k) for k in range(len(values))],
            auto_fit=False,
        )
        axes.tick_params(labelsize=max(3.5, min(10.0, 480 / max(len(values), 1))))
        for label in axes.get_xticklabels():  # nilearn slants them, which many numbers do not bear
            label.set(rotation=90 if len(values) > 24 else 0, ha="center", rotation_mode="default")
        for label in axes.get_yticklabels():
            label.set(rotation=0, va="center")
        return _png(figure)


def motor_peaks(*, threshold: float) -> pd.DataFrame:
    """Return the clusters of the motor map by nilearn's `get_clusters_table`.

    nilearn mixes numbers and text in two columns: clusters are 1 and their further peaks "1a",
    and such a peak has an empty size. Here ids are text and a missing size is NaN.
    """
    with _canvas(PALETTES["light"]):
        table = get_clusters_table(
            motor_map(), stat_threshold=threshold, cluster_threshold=20, two_sided=True
        )
    sizes = pd.to_numeric(table["Cluster Size (mm3)"], errors="coerce").astype(float)
    ids = table["Cluster ID"].astype(str)
    one_typed = table.assign(**{"Cluster ID": ids, "Cluster Size (mm3)": sizes})
    return pd.DataFrame(one_typed).head(20)
