"""Ready localizers: contrasts with stimuli written for this project, in ``assets/localizers``.

The language localizer follows Fedorenko et al. 2010. All items are made from frames and word
lists; those of one item number have equally many tokens in each condition for the embedded model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fnprune_core.assets import asset
from fnprune_core.errors import SettingsError
from fnprune_core.localizers.stimuli import Localizer, read_localizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Facts of a ready localizer besides its stimuli."""

    title: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    question: str
    note: str


#: Name → localizer; the stimuli are in ``assets/localizers/NAME.csv``.
READY: Mapping[str, Ready] = {
    "language": Ready(
        title="Language",
        positive=("sentences",),
        negative=("non-words",),
        question="What responds to sentences more than to lists of invented words?",
        note="Invented words break into rare pieces: equal in tokens, the lists have fewer words.",
    ),
    "arithmetic": Ready(
        title="Arithmetic",
        positive=("arithmetic",),
        negative=("numbers in prose",),
        question="What responds to calculating, with the same numbers in both conditions?",
        note="The prose around numbers is odd: rooms and buses, so that each number comes back.",
    ),
    "code": Ready(
        title="Code",
        positive=("code",),
        negative=("prose",),
        question="What responds to program code more than to prose?",
        note="Code differs in nearly every token, so that much responds; symbols and line breaks "
        "are part of it.",
    ),
    "languages": Ready(
        title="French and German",
        positive=("French", "German"),
        negative=("English",),
        question="What responds to French and German more than to the same said in English?",
        note="Foreign words break into shorter pieces; English items are a little longer in words.",
    ),
    "negation": Ready(
        title="Negation",
        positive=("negated",),
        negative=("affirmed",),
        question="What responds when a sentence is denied?",
        note="One or two words differ in each sentence; the mean over a block is diluted.",
    ),
    "names": Ready(
        title="Places and persons",
        positive=("places",),
        negative=("persons",),
        question="What responds to names of places more than to names of persons?",
        note="Frames are the same; only the name differs.",
    ),
    "questions": Ready(
        title="Questions",
        positive=("questions",),
        negative=("statements",),
        question="What responds to questions more than to statements?",
        note="Questions begin with other words and end with another mark; both count.",
    ),
    "agreement": Ready(
        title="Number agreement",
        positive=("broken",),
        negative=("kept",),
        question="What responds when a verb does not agree with a subject some words before?",
        note="One verb differs in each sentence, and half of its tokens come before that verb.",
    ),
    "sentiment": Ready(
        title="Sentiment",
        positive=("pleasant",),
        negative=("unpleasant",),
        question="What responds to pleasant more than to unpleasant statements?",
        note="A few words differ in each sentence, and their meanings with them.",
    ),
    "dialogue": Ready(
        title="Dialogue",
        positive=("dialogue",),
        negative=("narration",),
        question="What responds to spoken words more than to the same events told?",
        note="Quotation marks are part of it.",
    ),
}


def own_name(name: str) -> str:
    """Return a name for a localizer of one's own that no ready one has."""
    return f"own {name}" if name in READY else name


def load(name: str) -> Localizer:
    """Return a ready localizer: items with condition and template, and the contrast.

    ``load("language").items`` are `fnprune_core.localizers.stimuli.Item`; ``.texts("sentences")``
    are the texts of a condition, ``.blocks()`` the items of each template and condition.

    Raises
    ------
    SettingsError
        If there is no such localizer; the hint lists them.
    """
    if name not in READY:
        raise SettingsError(
            f"There is no ready localizer {name!r}.", hint=f"Choose among {', '.join(READY)}."
        )
    ready = READY[name]
    stimuli = read_localizer(
        asset(f"localizers/{name}.csv"), name=name, positive=ready.positive, negative=ready.negative
    )
    return Localizer(
        name=name,
        title=ready.title,
        items=stimuli.items,
        positive=ready.positive,
        negative=ready.negative,
        question=ready.question,
        note=ready.note,
    )
