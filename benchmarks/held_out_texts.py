"""Texts of the benchmarks: files cut into documents, and documents dealt into disjoint parts.

A folder with text files is given by ``--data``; what is expected in it:
``wikitext2/wiki.valid.raw`` and ``wikitext2/wiki.test.raw``, ``c4_train_first1000.jsonl``,
``domains/python_requests_src.py.txt``, ``domains/french_les_miserables_1.txt``,
``domains/tinyshakespeare.txt``, ``tasks/task_*.jsonl``.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from fnprune_core.models.language_model import LanguageModel
from fnprune_core.texts.cutting import cut_windows
from fnprune_core.texts.documents import Document
from fnprune_core.texts.overlap import first_shared_run
from fnprune_core.texts.windows import Windows

DATA = Path("../shared/data")
_ARTICLE = re.compile(r"^ = (?!=).* = $")
_CHAPTER = re.compile(r"^Chapitre [IVXLC]+$")
_DIALOGUE_CHARACTERS = 6000


def data_folder(options: argparse.Namespace) -> Path:
    """Return the folder with the texts.

    Without one at the usual place the benchmark says so and ends well, so that others can run.
    """
    folder: Path = options.data or DATA
    if folder.is_dir():
        return folder
    if options.data is None:
        print(json.dumps({"skipped": f"There is no folder {DATA}: name one with --data."}))
        raise SystemExit
    raise SystemExit(f"There is no folder {folder}.")


def articles(path: Path) -> list[Document]:
    """Return the articles of a WikiText file; all of them joined are the file."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    starts = [i for i, line in enumerate(lines) if _is_title(lines, i, line)]
    return _cut_lines(lines, starts, domain="WikiText")


def _is_title(lines: Sequence[str], i: int, line: str) -> bool:
    """Whether a line is a title: it stands alone, unlike lines of tables that look like one."""
    is_alone = not lines[i - 1].strip() and not lines[min(i + 1, len(lines) - 1)].strip()
    return bool(_ARTICLE.match(line.rstrip("\n"))) and (i == 0 or is_alone)


def modules(path: Path) -> list[Document]:
    """Return the modules of joined Python sources: each begins with a docstring."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    starts, is_open = [], False
    for i, line in enumerate(lines):
        if line.startswith('"""'):
            if not is_open:
                starts.append(i)
            if line.count('"""') == 1:
                is_open = not is_open
    return _cut_lines(lines, starts, domain="Python")


def chapters(path: Path) -> list[Document]:
    """Return the chapters of Les Misérables, without what stands before the first."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    starts = [i for i, line in enumerate(lines) if _CHAPTER.match(line.strip())]
    return _cut_lines(lines, starts, domain="French")[1:]


def dialogues(path: Path) -> list[Document]:
    """Return stretches of Shakespeare's plays, each of some whole speeches."""
    found: list[Document] = []
    part = ""
    for speech in path.read_text(encoding="utf-8").split("\n\n"):
        part += speech + "\n\n"
        if len(part) >= _DIALOGUE_CHARACTERS:
            found.append(Document(part, "Shakespeare", f"Shakespeare {len(found) + 1}"))
            part = ""
    return found


def web_pages(path: Path) -> list[Document]:
    """Return the pages of a C4 file, a JSON object a line."""
    rows = path.read_text(encoding="utf-8").splitlines()
    texts = [json.loads(row)["text"] for row in rows if row.strip()]
    return [Document(text, "C4", f"C4 {i + 1}") for i, text in enumerate(texts)]


def _cut_lines(lines: Sequence[str], starts: Sequence[int], *, domain: str) -> list[Document]:
    edges = sorted({0, *starts, len(lines)})
    pieces = ["".join(lines[a:b]) for a, b in pairwise(edges)]
    return [Document(piece, domain, f"{domain} {i + 1}") for i, piece in enumerate(pieces)]


# Domain to its reader and file.
DOMAINS: dict[str, tuple[Callable[[Path], list[Document]], str]] = {
    "WikiText": (articles, "wikitext2/wiki.valid.raw"),
    "Python": (modules, "domains/python_requests_src.py.txt"),
    "French": (chapters, "domains/french_les_miserables_1.txt"),
    "Shakespeare": (dialogues, "domains/tinyshakespeare.txt"),
}


def dealt(documents: Sequence[Document], shares: Mapping[str, float]) -> dict[str, list[Document]]:
    """Deal documents into disjoint parts whose lengths are near the given shares.

    The longest first, each to the part that lacks most of its share: no choice, no chance.
    """
    total = sum(len(document.text) for document in documents)
    lacks = {name: share * total for name, share in shares.items()}
    parts: dict[str, list[Document]] = {name: [] for name in shares}
    for document in sorted(documents, key=lambda each: -len(each.text)):
        name = max(lacks, key=lambda each: lacks[each])
        parts[name].append(document)
        lacks[name] -= len(document.text)
    return parts


def packed(
    language_model: LanguageModel, documents: Sequence[Document], *, window: int, n_dummy: int = 0
) -> Windows:
    """Return all windows of the documents, each domain joined, so that no tail is lost."""
    return cut_windows(
        documents, language_model.tokenizer, window=window, n_dummy_tokens=n_dummy, pack=True
    )


def without_shared(windows: Windows, other: Windows, *, length: int = 50) -> Windows:
    """Return the windows that share no run of tokens with another text, over their edges too.

    Modules of one project repeat headers and signatures, so documents alone do not separate texts.
    """
    more = length - 1
    ids = [
        windows.token_ids[max(start - more, 0) : stop + more]
        for start, stop in pairwise(windows.starts)
    ]
    return windows.select(
        [
            i
            for i, each in enumerate(ids)
            if first_shared_run(other.token_ids, each, length=length) is None
        ]
    )


def spread_over(windows: Windows, n_per_domain: int) -> Windows:
    """Return so many windows of each domain, at even steps through it; all where there are less."""
    domain = windows.domain_index[windows.starts[:-1]]
    chosen: list[int] = []
    for index in range(len(windows.domain_names)):
        here = np.flatnonzero(domain == index)
        n_taken = min(n_per_domain, len(here))
        chosen += here[np.arange(n_taken) * len(here) // max(n_taken, 1)].tolist()
    return windows.select(chosen)


def drawn(windows: Windows, n_windows: int, *, seed: int) -> Windows:
    """Return a seed's own windows: no window is in the draws of two seeds.

    Raises
    ------
    ValueError
        If the text has not so many windows.
    """
    order = np.random.default_rng(0).permutation(windows.n_windows)
    mine = order[seed * n_windows : (seed + 1) * n_windows]
    if len(mine) < n_windows:
        raise ValueError(
            f"Seed {seed} would need windows {seed * n_windows} to {(seed + 1) * n_windows} of "
            f"{windows.n_windows}: calibrate on fewer tokens."
        )
    return windows.select(np.sort(mine))


def domain_slices(windows: Windows) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each domain with the numbers of its windows."""
    domain = windows.domain_index[windows.starts[:-1]]
    for index, name in enumerate(windows.domain_names):
        yield name, np.flatnonzero(domain == index)
