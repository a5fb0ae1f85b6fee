"""References of the report: one entry per work, shown as a list and as BibTeX."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fnprune_core import __version__

_OTHERS = "others"  # as BibTeX has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A work that the report refers to.

    Parameters
    ----------
    authors : tuple of str
        "Family, Given", in order.
    where : str
        Journal, conference or archive, with volume and pages.
    doi, arxiv : str
        One of them as a rule.
    kind : str
        Of the BibTeX entry.
    """

    authors: tuple[str, ...]
    year: int
    title: str
    where: str
    doi: str = ""
    arxiv: str = ""
    kind: str = "article"

    @property
    def short(self) -> str:
        """Name of the work in a text: "Himberg et al. 2004"."""
        families = [name.partition(",")[0].strip("{}") for name in self.authors]
        if families[-1] == _OTHERS:
            return f"{families[0]} et al. {self.year}"
        forms = {1: families[0], 2: " & ".join(families)}
        return f"{forms.get(len(families), f'{families[0]} et al.')} {self.year}"

    @property
    def address(self) -> str:
        """Address of the work; empty if there is no identifier."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""

    def line(self) -> str:
        """Return the work as a line of the list, without its address."""
        authors = "; ".join(
            "et al." if author == _OTHERS else author.strip("{}") for author in self.authors
        )
        return f"{authors} ({self.year}). {self.title}. {self.where}."

    def entry(self, key: str) -> str:
        """Return the work as BibTeX."""
        fields = {
            "author": " and ".join(self.authors),
            "title": "{" + self.title + "}",
            "year": str(self.year),
            _PLACES[self.kind]: self.where,
            "doi": self.doi,
            "eprint": self.arxiv,
            "archiveprefix": "arXiv" if self.arxiv else "",
        }
        body = ",\n".join(
            f"  {name} = {{{value.replace('&', chr(92) + '&').replace('–', '--')}}}"
            for name, value in fields.items()
            if value
        )
        return f"@{self.kind}{{{key},\n{body}\n}}"


_PLACES = {"article": "journal", "inproceedings": "booktitle", "misc": "howpublished"}

REFERENCES: Mapping[str, Reference] = {
    "ablin2018": Reference(
        authors=("Ablin, Pierre", "Cardoso, Jean-François", "Gramfort, Alexandre"),
        year=2018,
        title="Faster ICA under orthogonal constraint",
        where="IEEE International Conference on Acoustics, Speech and Signal Processing, 4464–4468",
        doi="10.1109/ICASSP.2018.8461662",
        kind="inproceedings",
    ),
    "allal2025": Reference(
        authors=("Allal, Loubna Ben", "others"),
        year=2025,
        title="SmolLM2: When Smol Goes Big: Data-Centric Training of a Small Language Model",
        where="arXiv preprint",
        arxiv="2502.02737",
    ),
    "an2024": Reference(
        authors=("An, Yongqi", "Zhao, Xu", "Yu, Tao", "Tang, Ming", "Wang, Jinqiao"),
        year=2024,
        title="Fluctuation-based Adaptive Structured Pruning for Large Language Models",
        where="Proceedings of the AAAI Conference on Artificial Intelligence 38(10), 10865–10873",
        arxiv="2312.11983",
        kind="inproceedings",
    ),
    "beckmann2004": Reference(
        authors=("Beckmann, Christian F.", "Smith, Stephen M."),
        year=2004,
        title=(
            "Probabilistic independent component analysis for functional magnetic resonance imaging"
        ),
        where="IEEE Transactions on Medical Imaging 23(2), 137–152",
        doi="10.1109/TMI.2003.822821",
    ),
    "benjamini1995": Reference(
        authors=("Benjamini, Yoav", "Hochberg, Yosef"),
        year=1995,
        title=(
            "Controlling the false discovery rate: a practical and powerful approach to multiple "
            "testing"
        ),
        where="Journal of the Royal Statistical Society B 57(1), 289–300",
        doi="10.1111/j.2517-6161.1995.tb02031.x",
    ),
    "calhoun2001": Reference(
        authors=("Calhoun, Vince D.", "Adali, Tülay", "Pearlson, Godfrey D.", "Pekar, James J."),
        year=2001,
        title=(
            "A method for making group inferences from functional MRI data using independent "
            "component analysis"
        ),
        where="Human Brain Mapping 14(3), 140–151",
        doi="10.1002/hbm.1048",
    ),
    "fedorenko2010": Reference(
        authors=(
            "Fedorenko, Evelina",
            "Hsieh, Po-Jang",
            "Nieto-Castañón, Alfonso",
            "Whitfield-Gabrieli, Susan",
            "Kanwisher, Nancy",
        ),
        year=2010,
        title=(
            "New method for fMRI investigations of language: defining ROIs functionally in "
            "individual subjects"
        ),
        where="Journal of Neurophysiology 104(2), 1177–1194",
        doi="10.1152/jn.00032.2010",
    ),
    "fnprune": Reference(
        authors=("{fnprune contributors}",),
        year=2026,
        title="fnprune: a neuroimaging workbench for language models",
        where=f"Software, version {__version__}",
        kind="misc",
    ),
    "himberg2004": Reference(
        authors=("Himberg, Johan", "Hyvärinen, Aapo", "Esposito, Fabrizio"),
        year=2004,
        title=(
            "Validating the independent components of neuroimaging time series via clustering and "
            "visualization"
        ),
        where="NeuroImage 22(3), 1214–1222",
        doi="10.1016/j.neuroimage.2004.03.027",
    ),
    "hyvarinen1999": Reference(
        authors=("Hyvärinen, Aapo",),
        year=1999,
        title="Fast and robust fixed-point algorithms for independent component analysis",
        where="IEEE Transactions on Neural Networks 10(3), 626–634",
        doi="10.1109/72.761722",
    ),
    "liu2025": Reference(
        authors=(
            "Liu, Yiheng",
            "Ning, Junhao",
            "Xia, Sichen",
            "Gao, Xiaohui",
            "Qiang, Ning",
            "Ge, Bao",
            "Han, Junwei",
            "Hu, Xintao",
        ),
        year=2025,
        title=("Pruning Large Language Models by Identifying and Preserving Functional Networks"),
        where="arXiv preprint",
        arxiv="2508.05239",
    ),
    "kurtic2023": Reference(
        authors=("Kurtic, Eldar", "Frantar, Elias", "Alistarh, Dan"),
        year=2023,
        title="ZipLM: Inference-Aware Structured Pruning of Language Models",
        where="Advances in Neural Information Processing Systems 36",
        arxiv="2302.04089",
        kind="inproceedings",
    ),
    "ma2023": Reference(
        authors=("Ma, Xinyin", "Fang, Gongfan", "Wang, Xinchao"),
        year=2023,
        title="LLM-Pruner: On the Structural Pruning of Large Language Models",
        where="Advances in Neural Information Processing Systems 36",
        arxiv="2305.11627",
        kind="inproceedings",
    ),
    "nickerson2017": Reference(
        authors=(
            "Nickerson, Lisa D.",
            "Smith, Stephen M.",
            "Öngür, Döst",
            "Beckmann, Christian F.",
        ),
        year=2017,
        title=(
            "Using Dual Regression to Investigate Network Shape and Amplitude in Functional "
            "Connectivity Analyses"
        ),
        where="Frontiers in Neuroscience 11, 115",
        doi="10.3389/fnins.2017.00115",
    ),
    "smith2014": Reference(
        authors=(
            "Smith, Stephen M.",
            "Hyvärinen, Aapo",
            "Varoquaux, Gaël",
            "Miller, Karla L.",
            "Beckmann, Christian F.",
        ),
        year=2014,
        title="Group-PCA for very large fMRI datasets",
        where="NeuroImage 101, 738–749",
        doi="10.1016/j.neuroimage.2014.07.051",
    ),
    "sun2024": Reference(
        authors=("Sun, Mingjie", "Liu, Zhuang", "Bair, Anna", "Kolter, J. Zico"),
        year=2024,
        title="A Simple and Effective Pruning Approach for Large Language Models",
        where="International Conference on Learning Representations",
        arxiv="2306.11695",
        kind="inproceedings",
    ),
}


#: A work's key in braces; other braces are text.
_CITED = re.compile(rf"\{{({'|'.join(REFERENCES)})\}}")


def uncited(name: str) -> str:
    """Return a name that others gave, in which no citation is found: by a joiner, not seen."""
    return _CITED.sub("{\u200c\\1}", name)


def cited(texts: Iterable[str]) -> list[str]:
    """Return the keys of the works that texts name in braces, in the order of their authors."""
    keys = {key for text in texts for key in _CITED.findall(text)}
    return sorted(keys, key=lambda key: (REFERENCES[key].authors[0].lower(), key))


def split_citations(text: str) -> list[tuple[str, str]]:
    """Return a text in pieces, each with the key of the work that it names, or nothing."""
    pieces, end = [], 0
    for match in _CITED.finditer(text):
        if match.start() > end:
            pieces.append((text[end : match.start()], ""))
        pieces.append((REFERENCES[match[1]].short, match[1]))
        end = match.end()
    if end < len(text):
        pieces.append((text[end:], ""))
    return pieces


def bibtex(keys: Iterable[str]) -> str:
    """Return works as BibTeX."""
    return "\n\n".join(REFERENCES[key].entry(key) for key in keys)
