"""Facts on one network for the atlas file, as plain values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.figures.markup import signed
from fnprune_core.atlas.network_atlas import Passage


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """Facts on one network.

    Parameters
    ----------
    numbers : mapping
        Title → shown value, in the order of `COLUMNS`.
    values : mapping
        Column → value, for sorting.
    """

    number: int
    name: str
    note: str
    tags: Sequence[str]
    domain: str
    units: int
    numbers: Mapping[str, str]
    values: Mapping[str, float]
    profile: NDArray[np.float64]
    domains: Sequence[tuple[str, float]]
    passages: Sequence[Passage]
    limit: float
    words: pd.DataFrame
    together: Sequence[tuple[int, float]]

    def shown(self) -> dict[str, Any]:
        """Return the facts as the template wants them."""
        largest_share = max(share for _, share in self.domains)
        texts = [str(text) for text in self.words["text"]]
        return {
            "number": self.number,
            "name": self.name,
            "note": self.note,
            "tags": list(self.tags),
            "domain": self.domain,
            "peak": _number(self.values.get("peak_layer")),
            "units": self.units,
            "variance": _number(self.values.get("variance_alone")),
            "reproducibility": _number(self.values.get("reproducibility")),
            "searched": " ".join(
                (str(self.number), self.name, self.domain, *self.tags, *texts)
            ).lower(),
            "facts": [{"label": k, "value": v} for k, v in self.numbers.items()],
            "depth": self._depth(),
            "domains": [
                {"name": name, "percent": round(share * 100, 2), "shown": f"{100 * share:.0f}",
                 "most": share == largest_share}
                for name, share in self.domains
            ],
            "passages": [self._passage(passage) for passage in self.passages],
            "words": [
                {"text": repr(text)[1:-1], "mean": signed(mean, ".2f"), "count": f"{count:,}"}
                for text, mean, count in zip(
                    texts, self.words["mean"], self.words["count"], strict=True
                )
            ],
            "together": [{"number": k, "r": signed(r, "+.2f")} for k, r in self.together],
        }  # fmt: skip

    def _depth(self) -> dict[str, Any]:
        top = max(float(self.profile.max()), 1e-12)
        heights = (self.profile / top).round(3).tolist()
        peak = int(self.profile.argmax())
        return {
            "n": len(heights),
            "bars": [
                {"x": i + 0.1, "y": round(1 - h, 3), "height": h} for i, h in enumerate(heights)
            ],
            "note": (
                f"layers 0 to {len(heights) - 1} from left to right; the peak is layer {peak} with "
                f"{100 * self.profile.max():.1f} % of its units"
            ),
        }

    def _passage(self, passage: Passage) -> dict[str, Any]:
        tokens = []
        for i, (text, value) in enumerate(zip(passage.pieces, passage.values, strict=True)):
            share = min(abs(float(value)) / self.limit, 1.0)
            css = []
            if share > 0.05:
                css.append("h" if value > 0 else "c")
            if share > 0.35:
                css.append("strong")
            if i == passage.centre:
                css.append("centre")
            tokens.append(
                {
                    "text": text,
                    "tip": signed(value, ".2f"),
                    "css": " ".join(css),
                    "share": f"{share:.2f}",
                }
            )
        return {
            "place": f"{passage.domain} · {passage.document} · token {passage.position}",
            "strength": signed(passage.values[passage.centre], ".1f"),
            "tokens": tokens,
        }


def _number(value: float | None) -> str:
    return "-1" if value is None or math.isnan(value) else f"{value:.6g}"
