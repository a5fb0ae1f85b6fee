"""Losses by window: perplexity with its standard error, by domain, and paired differences."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.errors import CorruptArtifactError, NonFiniteError, SettingsError
from fnprune_core.evaluation.intervals import (
    DocumentSample,
    document_sample,
    ratio_error,
    with_error,
)
from fnprune_core.recording.sessions import document_codes
from fnprune_core.storage.checksums import MANIFEST, checked
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import read_checked_json, write_json
from fnprune_core.storage.manifests import manifest_of, read_manifest
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.windows import Windows

RESULT_FILE = "perplexity.json"
#: Label of the dense model beside those of its plans.
DENSE = "dense"
_ARRAYS: dict[str, Any] = {
    "window_nll": np.float64, "window_tokens": np.int64, "groups": np.int64, "windows": np.int64,
    "domains": np.int64,
}  # fmt: skip
#: Domain of the text that no choice saw (`elsewhere`): apart from what plans are compared on.
ELSEWHERE = "everyday English"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Protocol of a perplexity; two results compare only under the same one."""

    text_sha256: str
    n_tokens: int
    n_windows: int
    window: int
    adds_bos: bool
    dtype: str
    device: str
    chat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Perplexity:
    """Perplexity over the windows read so far.

    Parameters
    ----------
    window_nll : ndarray (windows so far,)
        Sum of −log p in nats of all predictions of each window.
    window_tokens : ndarray (windows so far,)
        Number of predictions, a window's length minus one.
    groups : ndarray (windows so far,)
        The document of each window, the unit of resampling. Parts of one text are one document.
    protocol : Protocol
        Of the whole evaluation.
    windows : ndarray (windows so far,), optional
        Which windows of the text they are, ascending; the first ones if not given.
    domains : ndarray (windows so far,), optional
        The domain of each window, into `domain_names`.
    domain_names : tuple of str
        Empty where the domains are not known: results of before they were stored.
    failure : str
        Why it could not be read to its end; empty as a rule. A result that failed has no
        perplexity, and never will.
    """

    window_nll: NDArray[np.float64]
    window_tokens: NDArray[np.int64]
    groups: NDArray[np.int64]
    protocol: Protocol
    windows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    domains: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    domain_names: tuple[str, ...] = ()
    failure: str = ""

    def __post_init__(self) -> None:
        n = len(self.window_nll)
        if not len(self.windows):
            object.__setattr__(self, "windows", np.arange(n))
        if not len(self.domains):
            object.__setattr__(self, "domains", np.zeros(n, dtype=np.int64))

    @property
    def nll_sum(self) -> float:
        """Sum of −log p, nats."""
        return float(self.window_nll.sum())

    @property
    def n_tokens(self) -> int:
        """Number of predictions so far."""
        return int(self.window_tokens.sum())

    @property
    def n_windows_total(self) -> int:
        """Number of windows of the whole evaluation."""
        return self.protocol.n_windows

    @property
    def is_complete(self) -> bool:
        """Whether every window was read."""
        return not self.failure and len(self.window_nll) == self.protocol.n_windows

    @property
    def mean_nll(self) -> float:
        """Nats per token; NaN if it failed or nothing was read."""
        return float("nan") if self.failure or not self.n_tokens else self.nll_sum / self.n_tokens

    @property
    def perplexity(self) -> float:
        """Exp of the mean −log p; NaN if it failed or nothing was read."""
        return float(np.exp(self.mean_nll))

    @property
    def sample(self) -> DocumentSample:
        """The documents of which a window was read: what errors are over."""
        return document_sample(self.window_tokens, self.groups)

    @property
    def mean_error(self) -> float:
        """Standard error of the nats per token over documents; NaN where they are too few."""
        return float(ratio_error(self.window_nll, self.window_tokens, self.groups))

    @property
    def standard_error(self) -> float:
        """Standard error of the perplexity (delta method); NaN where documents are too few."""
        return self.perplexity * self.mean_error

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the perplexity, by t on the mean loss; NaN without one."""
        low, high = self.sample.interval(self.mean_nll, self.mean_error)
        return float(np.exp(low)), float(np.exp(high))

    def text(self, *, digits: int = 2) -> str:
        """Return the perplexity ± its standard error, or that there is no interval."""
        return with_error(self.perplexity, self.standard_error, digits=digits)

    def restricted_to(self, places: NDArray[np.integer]) -> "Perplexity":
        """Return the result over some of the windows read, those of one domain for instance.

        Parameters
        ----------
        places : ndarray of int
            Places among the windows so far.
        """
        return replace(
            self,
            window_nll=self.window_nll[places],
            window_tokens=self.window_tokens[places],
            groups=self.groups[places],
            windows=self.windows[places],
            domains=self.domains[places],
            protocol=replace(
                self.protocol,
                n_windows=len(places),
                n_tokens=int(self.window_tokens[places].sum()),
            ),
        )

    def by_domain(self) -> dict[str, "Perplexity"]:
        """Return the result of each domain of which a window was read, in the text's order."""
        places = {
            name: np.flatnonzero(self.domains == i) for i, name in enumerate(self.domain_names)
        }
        return {
            name: self.restricted_to(domain_places)
            for name, domain_places in places.items()
            if len(domain_places)
        }

    def described_as(self, other: "Perplexity") -> "Perplexity":
        """Return the result with another's documents and domains, where its own are not known."""
        if self.domain_names:  # else a result of before they were stored
            return self
        return replace(
            self, groups=other.groups, domains=other.domains, domain_names=other.domain_names
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        facts = {"domain_names": list(self.domain_names), "failure": self.failure}
        return arrays | facts | {"protocol": asdict(self.protocol)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Perplexity":
        """Return the result that `to_json` wrote."""
        result = cls(
            **{name: np.asarray(value[name], dtype=dtype) for name, dtype in _ARRAYS.items()},
            protocol=Protocol(**value["protocol"]),
            domain_names=tuple(map(str, value["domain_names"])),
            failure=str(value["failure"]),
        )
        lengths = {len(getattr(result, name)) for name in _ARRAYS}
        if len(lengths) > 1:
            raise ValueError(f"arrays of {sorted(lengths)} windows")
        return result

    def save(self, target: Path, inputs: dict[str, Any], facts: dict[str, Any]) -> None:
        """Write the result as an artifact folder."""
        with new_folder(target) as folder:
            write_json(folder / RESULT_FILE, self.to_json())
            manifest = manifest_of("evaluations", inputs, {**self._summary(), **facts})
            write_json(folder / MANIFEST, manifest)

    def _summary(self) -> dict[str, Any]:
        return {
            "perplexity": _finite_or_none(self.perplexity),
            "standard_error": _finite_or_none(self.standard_error),
            "n_documents": self.sample.n,
            "n_effective": self.sample.n_effective,
            "n_tokens": self.n_tokens,
            "failure": self.failure,
            "protocol": asdict(self.protocol),
            "domains": list(self.domain_names),
        }

    @classmethod
    def load(cls, folder: Path) -> "Perplexity":
        """Read a result from its artifact folder."""
        manifest = read_manifest(folder)
        return cls.read(checked(folder, manifest, RESULT_FILE))

    @classmethod
    def read(cls, path: Path) -> "Perplexity":
        """Read a result from its JSON file."""
        try:
            return cls.from_json(read_checked_json(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptArtifactError(
                f"{path} is missing or damaged.", hint="Evaluate again."
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """Difference of two results on the same windows, in nats per token (first − second).

    Parameters
    ----------
    standard_error : float
        Over documents; NaN where these are too few.
    sample : DocumentSample
        These documents.
    """

    difference: float
    standard_error: float
    sample: DocumentSample

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval, by t; NaN without an error."""
        return self.sample.interval(self.difference, self.standard_error)

    @property
    def is_clear(self) -> bool:
        """Whether the 95 % interval leaves 0 out; never without an interval."""
        low, high = self.interval()
        return low > 0 or high < 0

    def text(self, *, digits: int = 4) -> str:
        """Return the difference ± its standard error, or that there is no interval."""
        return with_error(self.difference, self.standard_error, digits=digits, is_signed=True)


def documents_of(windows: Windows) -> NDArray[np.int64]:
    """Return the document of each window, parts of one text being one: (n_windows,)."""
    first_tokens = windows.starts[:-1]
    table = {
        "document": np.array(windows.document_names, dtype=object)[
            windows.document_index[first_tokens]
        ],
        "domain": np.array(windows.domain_names, dtype=object)[windows.domain_index[first_tokens]],
    }
    return document_codes(pd.DataFrame(table))


def domains_of(windows: Windows) -> NDArray[np.int64]:
    """Return the domain of each window, into the text's names: (n_windows,)."""
    return np.asarray(windows.domain_index[windows.starts[:-1]], dtype=np.int64)


def paired_difference(a: Perplexity, b: Perplexity) -> PairedDifference:
    """Return a − b in nats per token over the windows that both have read, with its error.

    Raises
    ------
    SettingsError
        If the two were not measured on the same windows under the same protocol.
    NonFiniteError
        If one of them failed.
    """
    first, second = on_common_windows(a, b)
    differences = first.window_nll - second.window_nll
    return PairedDifference(
        difference=float(differences.sum() / first.window_tokens.sum()),
        standard_error=float(ratio_error(differences, first.window_tokens, first.groups)),
        sample=first.sample,
    )


def paired_by_domain(a: Perplexity, b: Perplexity) -> dict[str, PairedDifference]:
    """Return a − b in each domain of which both have read a window; as `paired_difference`."""
    first, second = on_common_windows(a, b)
    second_by_domain = replace(
        second, domains=first.domains, domain_names=first.domain_names
    ).by_domain()
    return {
        name: paired_difference(result, second_by_domain[name])
        for name, result in first.by_domain().items()
    }


def on_common_windows(a: Perplexity, b: Perplexity) -> tuple[Perplexity, Perplexity]:
    """Return both results over the windows that both have read; raises as `paired_difference`."""
    for result in (a, b):
        if result.failure:
            raise NonFiniteError(result.failure, hint="What failed cannot be compared.")
    protocol_a, protocol_b = asdict(a.protocol), asdict(b.protocol)
    differing = [name for name in protocol_a if protocol_a[name] != protocol_b[name]]
    common, in_a, in_b = np.intersect1d(a.windows, b.windows, return_indices=True)
    if differing or not len(common):
        raise SettingsError(
            "These two results were measured differently: "
            + "; ".join(f"{name} {protocol_a[name]}, {protocol_b[name]}" for name in differing)
            + ("." if differing else "other windows of the text."),
            hint="Evaluate both on the same text, window, dtype and device.",
        )
    first, second = a.restricted_to(in_a), b.restricted_to(in_b)
    return first.described_as(second), second.described_as(first)


def is_elsewhere(manifest: Mapping[str, Any]) -> bool:
    """Whether a stored result is of the text that no choice saw."""
    return manifest.get("domains") == [ELSEWHERE]


def _finite_or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def open_evaluation(workspace: Workspace, evaluation_id: str) -> Perplexity:
    """Return a result of the workspace."""
    return Perplexity.load(workspace.existing("evaluations", evaluation_id))
