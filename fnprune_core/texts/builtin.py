"""Texts that every installation has: five domains, each split into calibration and held-out.

Nothing is downloaded. The texts are the language reference and the source of Python, C++ headers
and licences that come with the required packages, and French prose written for this project.
"""

import re
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module, metadata, util
from itertools import pairwise
from pathlib import Path

import numpy as np

from fnprune_core.assets import asset
from fnprune_core.texts.overlap import run_hashes

SPLITS = ("calibration", "held-out")

# A text is cut into parts of at most so many characters: about five windows of 512 tokens.
_PART_CHARACTERS = 10_000
# A shorter text gives no window of 512 tokens in most tokenizers.
_MIN_CHARACTERS = 2_500
_HELD_OUT_SHARE = 1 / 3
# Splits share no run of so many pieces (below): in any usual tokenizer that is under 50 tokens.
_SHARED_PIECES = 30
# Up to eight letters (two, if capitals) with the space before them, a row of one symbol, or a
# single character; blanks count one by one, as in tokenizers that don't join them.
_PIECE = re.compile(r" ?(?:[A-Z]?[^\W\d_A-Z]{1,7}|[A-Z]{1,2})|([^\w\s])\1{3,}|\S|\s")
# Long lists of names and numbers, hardly code.
_LISTS = ("stringprep.py", "aten_interned_strings.h", "interned_strings.h", "builtin_function.h")
_PACKAGES_WITH_LICENCES = (
    "accelerate",
    "matplotlib",
    "nilearn",
    "numpy",
    "pandas",
    "pillow",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "streamlit",
    "torch",
    "typing-extensions",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Domain:
    """Where a domain's texts come from, how many are taken, and in how many parts at most."""

    texts: Callable[[], Iterator[tuple[str, str]]]
    max_texts: int = 24
    max_parts: int = 1

    @property
    def max_characters(self) -> int:
        return self.max_parts * _PART_CHARACTERS


@lru_cache(maxsize=1)
def builtin_texts() -> dict[str, dict[str, dict[str, str]]]:
    """Return the built-in texts by split, domain and document name, the same on each call.

    Documents come in the order of their names. No run of 30 pieces (words of up to eight
    letters, single characters, blanks) of a calibration text occurs in a held-out text: where
    one would, the held-out text is cut down to its longest stretch without any. A domain whose
    files are missing here is left out.
    """
    calibration: dict[str, dict[str, str]] = {}
    held_out: dict[str, dict[str, str]] = {}
    for name, domain in DOMAINS.items():
        beginnings = {key: text[: domain.max_characters] for key, text in domain.texts()}
        texts = _without_contained(_spread_sample(beginnings, domain.max_texts))
        for_calibration, for_held_out = _split_texts(texts)
        if for_calibration and for_held_out:
            calibration[name] = _cut_into_parts(for_calibration)
            held_out[name] = _cut_into_parts(for_held_out)
    pieces = _Pieces()
    calibration_runs: set[int] = set()
    for texts in calibration.values():
        for text in texts.values():
            calibration_runs.update(pieces.runs(text))
    for name, texts in held_out.items():
        trimmed = {
            key: pieces.longest_stretch_without(text, calibration_runs)
            for key, text in texts.items()
        }
        held_out[name] = {k: text for k, text in trimmed.items() if len(text) >= _MIN_CHARACTERS}
    return {"calibration": calibration, "held-out": held_out}


class _Pieces:
    """Texts as numbers, one per distinct piece, so that runs can be hashed and compared."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def runs(self, text: str) -> list[int]:
        """Return a hash of each run of pieces."""
        numbers = self._numbers
        numbered_pieces = [
            numbers.setdefault(m.group(), len(numbers)) for m in _PIECE.finditer(text)
        ]
        hashes: list[int] = run_hashes(
            np.array(numbered_pieces, dtype=np.int64), _SHARED_PIECES
        ).tolist()
        return hashes

    def longest_stretch_without(self, text: str, known_runs: set[int]) -> str:
        """Return the longest stretch of whole lines that no run in `known_runs` touches."""
        shared_runs = np.array(
            [i for i, run in enumerate(self.runs(text)) if run in known_runs], dtype=int
        )
        if not len(shared_runs):
            return text
        lines = text.splitlines(keepends=True)
        ends = np.cumsum([len(line) for line in lines])
        begins = np.array([m.start() for m in _PIECE.finditer(text)])
        first = np.searchsorted(ends, begins[shared_runs], side="right")
        last = np.searchsorted(ends, begins[shared_runs + _SHARED_PIECES - 1], side="right")
        steps = np.zeros(len(lines) + 1, dtype=np.int64)
        np.add.at(steps, first, 1)
        np.add.at(steps, last + 1, -1)
        barriers = [-1, *np.flatnonzero(np.cumsum(steps[:-1])).tolist(), len(lines)]
        stretches = ["".join(lines[a + 1 : b]) for a, b in pairwise(barriers)]
        return max(stretches, key=len).strip("\n")


def _spread_sample(texts: dict[str, str], n: int) -> dict[str, str]:
    """Return at most `n` long enough texts, spread evenly over the sorted names."""
    names = sorted(name for name, text in texts.items() if len(text) >= _MIN_CHARACTERS)
    indices = np.unique(np.linspace(0, max(0, len(names) - 1), min(n, len(names))).astype(int))
    return {names[i]: texts[names[i]] for i in indices}


def _without_contained(texts: dict[str, str]) -> dict[str, str]:
    """Leave out each text of which half or more stands in longer ones."""
    pieces = _Pieces()
    kept_runs: set[int] = set()
    kept_names = set()
    for name in sorted(texts, key=lambda name: (-len(texts[name]), name)):
        runs = set(pieces.runs(texts[name]))
        if len(runs & kept_runs) <= len(runs) / 2:
            kept_names.add(name)
            kept_runs |= runs
    return {name: text for name, text in texts.items() if name in kept_names}


def _split_texts(texts: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Deal texts, in order, to calibration and held-out so that the latter get a third."""
    calibration: dict[str, str] = {}
    held_out: dict[str, str] = {}
    n_characters = n_held_out = 0
    for name, text in texts.items():
        n_characters += len(text)
        if n_held_out + len(text) / 2 <= n_characters * _HELD_OUT_SHARE:
            held_out[name] = text
            n_held_out += len(text)
        else:
            calibration[name] = text
    return calibration, held_out


def _cut_into_parts(texts: dict[str, str]) -> dict[str, str]:
    """Cut each text at line ends into parts of bounded size, without too short ones."""
    parts: dict[str, str] = {}
    for name, text in texts.items():
        chunks: list[str] = [""]
        for line in text.splitlines(keepends=True):
            if chunks[-1] and len(chunks[-1]) + len(line) > _PART_CHARACTERS:
                chunks.append("")
            chunks[-1] += line
        long_chunks = [chunk.strip("\n") for chunk in chunks if len(chunk) >= _MIN_CHARACTERS]
        for number, chunk in enumerate(long_chunks, start=1):
            parts[name if len(long_chunks) == 1 else f"{name}, part {number}"] = chunk
    return parts


def _documentation() -> Iterator[tuple[str, str]]:
    topics: dict[str, str] = import_module("pydoc_data.topics").topics
    for name, text in topics.items():
        yield f"Python reference: {name}", text


def _python() -> Iterator[tuple[str, str]]:
    for path in Path(sysconfig.get_path("stdlib")).glob("[!_]*.py"):
        if path.name not in _LISTS and 12_000 <= path.stat().st_size <= 80_000:
            yield path.name, _source(path, comment="#")


def _cpp() -> Iterator[tuple[str, str]]:
    torch = util.find_spec("torch")
    if torch is None or torch.origin is None:
        return
    include = Path(torch.origin).parent / "include"
    for folder in ("ATen/core", "c10/core", "c10/util"):
        for path in (include / folder).glob("*.h"):
            if path.name not in _LISTS and 8_000 <= path.stat().st_size <= 60_000:
                yield f"{folder}/{path.name}", _source(path, comment="//")


def _licences() -> Iterator[tuple[str, str]]:
    """Yield the licences of each package; a paragraph that came before is left out."""
    used_paragraphs: set[str] = set()
    for package in _PACKAGES_WITH_LICENCES:
        try:
            files = metadata.files(package) or []
        except metadata.PackageNotFoundError:
            continue
        paragraphs = []
        for file in sorted(files, key=str):
            if ".dist-info/" in file.as_posix() and re.match("(?i)licen[cs]e|copying", file.name):
                text = Path(str(file.locate())).read_text(encoding="utf-8", errors="replace")
                for paragraph in re.split(r"\n\s*\n", text):
                    letters = "".join(filter(str.isalpha, paragraph.lower()))
                    if letters and letters not in used_paragraphs:
                        used_paragraphs.add(letters)
                        paragraphs.append(paragraph.strip("\n"))
        yield f"{package} licence", "\n\n".join(paragraphs)


def _french() -> Iterator[tuple[str, str]]:
    for file in asset("texts/french").iterdir():
        if file.name.endswith(".txt"):
            yield file.name.removesuffix(".txt"), file.read_text(encoding="utf-8")


def _source(path: Path, *, comment: str) -> str:
    """Return a source file without the comment lines at its top, where licences stand."""
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines(keepends=True)
    first = next((i for i, x in enumerate(lines) if x.strip() and not x.startswith(comment)), 0)
    return "".join(lines[first:])


DOMAINS: dict[str, _Domain] = {
    "c++": _Domain(texts=_cpp),
    "documentation": _Domain(texts=_documentation, max_parts=3),
    "french": _Domain(texts=_french),
    "legal": _Domain(texts=_licences, max_parts=6),
    "python": _Domain(texts=_python),
}
