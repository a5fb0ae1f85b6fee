"""A plan for a class of 50 minutes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the class.

    Parameters
    ----------
    chapter : str
        Its name; empty for what is no chapter.
    how : str
        What teacher and class do.
    """

    minutes: int
    title: str
    chapter: str
    how: str


#: Chapters that are left out are homework.
PLAN: tuple[Part, ...] = (
    Part(
        minutes=3,
        title="Opening",
        chapter="",
        how="Show the networks of the example on the page Start. Ask: what would you need to know "
        "to believe that these are “functional networks”? Collect answers, judge none.",
    ),
    Part(
        minutes=5,
        title="What is measured",
        chapter="signal",
        how="All predict by a show of hands, then one moves the second flash on the projector.",
    ),
    Part(
        minutes=8,
        title="Why ICA",
        chapter="ica",
        how="In pairs: find the noise at which ICA finds two of five networks with 4 people. Then "
        "16 people. Compare between pairs.",
    ),
    Part(
        minutes=5,
        title="A network and its map",
        chapter="map",
        how="Together. Hold against each other what z means in the two pictures.",
    ),
    Part(
        minutes=6,
        title="Decoding",
        chapter="decoding",
        how="Play three rounds of the guessing game aloud, then the arithmetic of the check.",
    ),
    Part(
        minutes=8,
        title="Localizers",
        chapter="localizers",
        how="In pairs: shuffle five times, write down both counts. Pool all counts on the board.",
    ),
    Part(
        minutes=8,
        title="Lesions",
        chapter="lesions",
        how="Load the model before class. One lesion together, then each pair another network. "
        "Look for a double dissociation among the pairs.",
    ),
    Part(
        minutes=5,
        title="Where the analogy breaks",
        chapter="limits",
        how="Smoothing on the projector, then the table: which break matters most, and why?",
    ),
    Part(
        minutes=2,
        title="Closing",
        chapter="",
        how="Each writes one question that the analogy raised and one that it cannot answer. "
        "Homework: the other chapters.",
    ),
)
