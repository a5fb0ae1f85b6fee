"""The form of a plan as words in the URL, and as the widgets of the lab hold it.

So that a reload, also in the middle of Apply, and a link open the form as it was.
"""

from dataclasses import dataclass
from typing import Any

from app.pruning.checks import MOST_PERCENT
from app.shell import codec, session_state, view_state
from app.shell.codec import Codec, lettered, named, parameter
from fnprune_core.plans.allocation import ALLOCATIONS
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.compensation import COMPENSATIONS
from fnprune_core.scores.units import SCORES

_SEEN = "form of the lab as last seen in the URL"
_WEIGHT_STEPS = 10_000  # of a layer's weight
_MOST_LAYERS = 200
_ONE_UNIT = 0.01  # per cent of all parameters, at most, in models worth pruning


def _words(names: Any, before: str = "") -> dict[str, str]:
    """Return a word without hyphens for each name; no two tables may share one."""
    return {name: before + name.replace("-", "") for name in names}


def _write_weights(text: str) -> str:
    try:
        weights = [float(word) for word in text.replace(",", " ").split()]
        return "w" + "x".join(str(round(_WEIGHT_STEPS * weight)) for weight in weights)
    except (ValueError, OverflowError):  # what is no number is told beside its field
        return ""


def _read_weights(word: str) -> str:
    numbers = word[1:].split("x")
    if word[:1] != "w" or len(numbers) > _MOST_LAYERS:
        raise ValueError(word)
    return ", ".join(f"{codec.whole_number(number) / _WEIGHT_STEPS:g}" for number in numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormWords:
    """The fields of the form; a ratio is always told, so that no form in the URL is empty.

    Parameters
    ----------
    ratio, smaller, attention : int
        Shares of the MLP units, of all parameters, of the KV groups, in per cent.
    unit : str
        Which of these, or megabytes, says how much goes: a row of `amount.UNITS`.
    megabytes : int or None
        Size to reach.
    sinks : int or None
    weights : str
        Of the layers, as they are typed.
    """

    ratio: int = parameter(lettered("r", 0, MOST_PERCENT), -1)
    unit: str = parameter(
        named({"units": "ofunits", "parameters": "ofparameters", "megabytes": "ofmb"}), "units"
    )
    smaller: int = parameter(lettered("p", 0, MOST_PERCENT), 20)
    megabytes: int | None = parameter(lettered("m", 1, 99_999), None)
    attention: int = parameter(lettered("h", 0, MOST_PERCENT), 0)
    score: str = parameter(named(_words(SCORES)), "network-energy")
    compensation: str = parameter(named(_words(COMPENSATIONS, "by")), "least-squares")
    allocation: str = parameter(named(_words(ALLOCATIONS, "over")), "protect-ends")
    sinks: int | None = parameter(lettered("k", 0, 64), None)
    seed: int = parameter(lettered("d", 0, 999), 0)
    weights: str = parameter(Codec(write=_write_weights, read=_read_weights), "")


#: Widgets of the lab, and the field that each holds.
_WIDGETS = {
    "prune-ratio": "ratio",
    "prune-unit": "unit",
    "prune-smaller": "smaller",
    "prune-megabytes": "megabytes",
    "prune-attention": "attention",
    "prune-score": "score",
    "prune-compensation": "compensation",
    "prune-allocation": "allocation",
    "prune-weights": "weights",
    "prune-sinks": "sinks",
    "prune-seed": "seed",
}


def words_of(settings: PlanSettings, *, share_of_parameters: float) -> FormWords:
    """Return the form in which a plan with these settings is asked for.

    Parameters
    ----------
    share_of_parameters : float
        That goes with the plan. A ratio that is no whole per cent, but gives a whole per cent of
        the parameters to one unit, was asked for in these.
    """
    smaller = 100 * share_of_parameters
    is_whole = abs(100 * settings.ratio - round(100 * settings.ratio)) < 1e-9
    is_of_parameters = not is_whole and 0 <= smaller - int(smaller) < _ONE_UNIT
    return FormWords(
        ratio=min(MOST_PERCENT, round(100 * settings.ratio)),
        unit="parameters" if is_of_parameters else "units",
        smaller=min(MOST_PERCENT, int(smaller)) if is_of_parameters else 20,
        attention=min(MOST_PERCENT, round(100 * settings.attention_ratio)),
        score=settings.score,
        compensation=settings.compensation,
        allocation=settings.allocation,
        sinks=settings.sink_units,
        seed=settings.seed,
        weights=", ".join(f"{weight:g}" for weight in settings.layer_weights),
    )


def fill(form: FormWords) -> None:
    """Set the widgets of the lab, and the URL."""
    for widget, field in _WIDGETS.items():
        session_state.remember(widget, getattr(form, field))
    write(form)


def write(form: FormWords) -> None:
    """Write the form into the URL."""
    words = codec.encode_words(form)
    session_state.remember(_SEEN, words)
    if view_state.view().form != words:
        view_state.change(form=words)


def write_present() -> None:
    """Write into the URL what the widgets hold, once they are drawn."""
    values = {field: session_state.widget(widget) for widget, field in _WIDGETS.items()}
    kept = {
        field: value for field, value in values.items() if value is not None or field == "sinks"
    }
    write(FormWords(**{"ratio": 20, **kept}))


def followed() -> FormWords | None:
    """Return the form of a link that was followed, or of a reload; None where it is the page's."""
    words = view_state.view().form
    if not words or words == session_state.widget(_SEEN):
        return None
    form = codec.decode_words(FormWords, words)
    return form if form.ratio >= 0 else None
