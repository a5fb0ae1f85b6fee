"""Plans as rows: their names, the columns of the list, and the lines they form. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from fnprune_core.evaluation.history import History, PlanRecord
from fnprune_core.scores.units import SCORES


def score_label(score: str) -> str:
    """Return a score's name for people."""
    return SCORES[score].label if score in SCORES else score


def text_label(history: History, text: str) -> str:
    """Return the name of a text and protocol."""
    plans = [plan for plan in history.plans if plan.on(text)]
    measurement = history.dense.get(text) or (plans[0].on(text) if plans else None)
    if measurement is None:
        return text
    protocol = measurement.protocol
    number = f"{len(plans)} plan{'' if len(plans) == 1 else 's'}"
    return (
        f"Text {protocol['text_sha256'][:8]}: {measurement.n_tokens:,} predictions, windows of "
        f"{protocol['window']}, {protocol['dtype']} on {protocol['device']} ({number})"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of a plan on one text, and its speed; NaN where it was not.

    Parameters
    ----------
    kept, kept_error : float
        Perplexity of the texts on which all plans are compared, and its standard error.
    given_up : float
        Perplexity of the other texts.
    domains : mapping of str to float
        Perplexity of each domain.
    above_dense, above_dense_error : float
        Nats per token on the texts that are compared, paired by window.
    prefill, decode : float
        Measured speed, in multiples of the dense model's: of the fastest form.
    """

    perplexity: float = math.nan
    standard_error: float = math.nan
    kept: float = math.nan
    kept_error: float = math.nan
    given_up: float = math.nan
    domains: Mapping[str, float] = field(default_factory=dict)
    above_dense: float = math.nan
    above_dense_error: float = math.nan
    prefill: float = math.nan
    decode: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the table of runs.

    Parameters
    ----------
    format : str
        Of its numbers; empty for text.
    is_usual : bool
        Whether it is shown unless another choice was made.
    """

    label: str
    help: str
    format: str = ""
    is_usual: bool = True


COLUMNS = {
    "kept": Column(
        label="ppl", format="%.2f", help="Perplexity of the texts under Compared on: of the same "
        "windows for every plan.",
    ),
    "given up": Column(
        label="ppl of the rest", format="%.2f",
        help="Perplexity of the other texts: the same for every plan, whether it gives them up.",
    ),
    "perplexity": Column(
        label="ppl all", format="%.2f", is_usual=False, help="Perplexity of all texts."
    ),
    "± SE": Column(
        label="± SE", format="%.2f", is_usual=False, help="Standard error of ppl."
    ),
    "above dense": Column(
        label="above dense", format="%+.4f",
        help="Nats per token above the dense model, on the texts under Compared on, paired by "
        "window.",
    ),
    "± above dense": Column(
        label="± above dense", format="%.4f", is_usual=False,
        help="Standard error of that difference.",
    ),
    "units gone": Column(label="units gone", format="%.1f %%", help="Of all MLP units."),
    "parameters gone": Column(
        label="size gone", format="%.1f %%", help="Share of all parameters that go: the size."
    ),
    "prefill": Column(
        label="speed, reading", format="%.2f ×",
        help="Measured: how many times as fast as the dense model it reads a prompt.",
    ),
    "decode": Column(
        label="speed, writing", format="%.2f ×",
        help="Measured: how many times as fast as the dense model it writes.",
    ),
    "texts given up": Column(label="texts given up", help="Domains."),
    "protected": Column(label="protected", is_usual=False, help="Networks that it protects."),
    "score": Column(label="score", help="What decides which units go."),
    "compensation": Column(label="compensation", help="What makes up for what goes."),
    "allocation": Column(
        label="allocation", is_usual=False, help="How the cut is divided over the layers."
    ),
    "on disk": Column(
        label="on disk", format="%.0f MB", is_usual=False, help="The plan with its refits."
    ),
    "made": Column(label="made", help="When it was made."),
}  # fmt: skip
#: Columns of text by which plans can be grouped.
GROUPS = ("score", "compensation", "allocation", "texts given up")


def domain_columns(measured: Mapping[str, Measured]) -> dict[str, str]:
    """Return the column of each domain: its name may be anything, the column's is ours."""
    names = dict.fromkeys(name for each in measured.values() for name in each.domains)
    return {f"domain {i}": name for i, name in enumerate(names)}


def runs(
    plans: Sequence[PlanRecord],
    measured: Mapping[str, Measured],
    *,
    names: Mapping[str, str],
    given_up: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Return one row per plan, indexed by its id: the columns of `COLUMNS`, and one each domain.

    Parameters
    ----------
    measured, names, given_up : mapping
        By a plan's id: what was measured of it, its name, and the domains that it gives up.
    """
    domains = domain_columns(measured)
    rows = []
    for plan in plans:
        own, settings = measured.get(plan.id, Measured()), plan.settings
        rows.append(
            {
                "plan": names[plan.id],
                "kept": own.kept,
                "given up": own.given_up,
                "perplexity": own.perplexity,
                "± SE": own.kept_error,
                "above dense": own.above_dense,
                "± above dense": own.above_dense_error,
                "units gone": 100 * plan.achieved_ratio,
                "parameters gone": 100 * plan.share_of_parameters,
                "prefill": own.prefill,
                "decode": own.decode,
                "texts given up": ", ".join(given_up[plan.id]) or "none",
                "protected": f"{plan.n_preserved} of {plan.n_networks}"
                if plan.n_preserved
                else "–",
                "score": score_label(settings.score),
                "compensation": settings.compensation.replace("-", " "),
                "allocation": settings.allocation.replace("-", " "),
                "on disk": plan.size_bytes / 1e6,
                "made": pd.to_datetime(plan.created, errors="coerce", utc=True),
                **{column: own.domains.get(name, math.nan) for column, name in domains.items()},
            }
        )
    return pd.DataFrame(rows, index=pd.Index([plan.id for plan in plans], name="id"))


def texts_words(kept: Sequence[str], every: Sequence[str]) -> str:
    """Return the words for some of a text's domains: the shorter of what they are and are not."""
    rest = [name for name in every if name not in kept]
    if not kept or not rest:
        return "all texts"
    is_short = len(rest) < len(kept)
    return f"all but {', '.join(rest)}" if is_short else ", ".join(kept)


def column_of(name: str) -> Column:
    """Return how a column is shown; those of domains are perplexities."""
    default = Column(label=name, format="%.2f", is_usual=False, help="Perplexity of this domain.")
    return COLUMNS.get(name, default)


def numeric(table: pd.DataFrame) -> list[str]:
    """Return the columns with a number in some row: what a scatter can show."""
    names = [name for name in table if column_of(str(name)).format]
    return [str(name) for name in names if name != "plan" and table[name].notna().any()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Conditions on the runs that are listed; an empty one asks nothing.

    Parameters
    ----------
    words : str
        All of them are in its name, score, compensation, allocation or texts given up.
    scores : tuple of str
    most : float
        Perplexity of the texts that are compared, at most.
    """

    words: str = ""
    scores: tuple[str, ...] = ()
    most: float | None = None


def filtered(table: pd.DataFrame, wanted: Wanted, *, group: str = "") -> pd.DataFrame:
    """Return the rows that fit, by group where one is chosen."""
    text = table[["plan", *GROUPS]].agg(" ".join, axis=1).str.casefold()
    fits = pd.Series(True, index=table.index)
    for word in wanted.words.casefold().split():
        fits &= text.str.contains(word, regex=False)
    if wanted.scores:
        fits &= table["score"].isin(wanted.scores)
    if wanted.most is not None:
        fits &= table["kept"] <= wanted.most
    shown = table[fits]
    return shown.sort_values(group, kind="stable") if group in GROUPS else shown
