"""Both words for each concept, neuroscience's and ours: one table, shown and used for tooltips."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A concept.

    Parameters
    ----------
    key : str
        What pages ask for.
    brain, here : str
        The word in neuroimaging, and in a language model or this app.
    says : str
        What it is here.
    breaks : str
        Where the likeness ends; empty where it does not.
    """

    key: str
    brain: str
    here: str
    says: str
    breaks: str = ""


_ROWS = (
    Term(
        key="voxel",
        brain="voxel",
        here="unit (neuron)",
        says="The smallest thing recorded: one neuron of an MLP, an input of its output "
        "projection.",
        breaks="A voxel holds very many neurons and has neighbours; a unit is one neuron and has "
        "none.",
    ),
    Term(
        key="slice",
        brain="slice, volume",
        here="layer, whole model",
        says="All units of one layer; all units of the model.",
    ),
    Term(
        key="bold",
        brain="BOLD signal",
        here="activation",
        says="The number with which a unit enters its layer's output.",
        breaks="BOLD is blood, seconds late and noisy; an activation is exact.",
    ),
    Term(
        key="haemodynamics",
        brain="haemodynamic response",
        here="(none)",
        says="How blood answers to activity: it peaks after about 5 seconds.",
        breaks="Models have no blood, so no such response is in any design here.",
    ),
    Term(
        key="scan",
        brain="scan, TR",
        here="token",
        says="One moment of the recording: a word or a piece of one.",
        breaks="A scan takes about 1 to 2 seconds; a token has no duration.",
    ),
    Term(
        key="run",
        brain="run, session",
        here="session (window)",
        says="A stretch of text that the model reads in one go, 512 tokens unless changed.",
    ),
    Term(
        key="subject",
        brain="subject",
        here="document",
        says="What a result is meant to hold for beyond those seen: other texts.",
        breaks="There is one model. Results hold for other texts, not for other models.",
    ),
    Term(
        key="dummy",
        brain="dummy scans",
        here="dummy tokens",
        says="The first tokens of a window, at which the model only warms up. Statistics leave "
        "them out.",
    ),
    Term(
        key="mask",
        brain="brain mask",
        here="alive units",
        says="Units that vary at all; the others are left out.",
    ),
    Term(
        key="ica",
        brain="spatial ICA",
        here="spatial ICA",
        says="Finds maps that are as far from a bell curve, and as independent, as possible; no "
        "labels are used.",
    ),
    Term(
        key="group_ica",
        brain="group ICA",
        here="group ICA over sessions",
        says="Each session is reduced, sessions are joined and reduced again, then ICA is run.",
    ),
    Term(
        key="component",
        brain="component, network",
        here="functional network",
        says="Units that are active together: a map and a time course.",
        breaks="Networks overlap: a unit can be in several.",
    ),
    Term(
        key="n_components",
        brain="model order",
        here="number of networks (K)",
        says="How many networks are looked for. Nobody knows the true number; the page Trust "
        "helps.",
    ),
    Term(
        key="map",
        brain="statistic map",
        here="map of a network",
        says="One z for each unit: how strongly it takes part.",
    ),
    Term(
        key="z",
        brain="z",
        here="z",
        says="How many standard deviations a unit is from the average unit of the map.",
        breaks="In a brain map z often comes from a test over people. Here it does not.",
    ),
    Term(
        key="threshold",
        brain="threshold",
        here="threshold |z|",
        says="Units beyond it are drawn, and count as members. A view, not a test.",
    ),
    Term(
        key="time_course",
        brain="time course",
        here="time course",
        says="How strongly a network is present at each token, by least squares.",
    ),
    Term(
        key="stability",
        brain="ICASSO stability (Iq)",
        here="stability (Iq)",
        says="How alike a network comes out from other random starts: 1 is always the same.",
    ),
    Term(
        key="reproducibility",
        brain="split-half reproducibility",
        here="reproducibility",
        says="How alike a network comes out from two halves of the documents.",
    ),
    Term(
        key="variance",
        brain="variance explained",
        here="variance alone, left out",
        says="Share of the signals' variance that a network explains by itself, or that is lost "
        "without it.",
    ),
    Term(
        key="atlas",
        brain="atlas",
        here="atlas",
        says="The networks of a model, as a set that can be used again.",
        breaks="It is of one model; another model has another.",
    ),
    Term(
        key="parcellation",
        brain="parcellation",
        here="parcellation",
        says="Each unit in the one network where it is strongest.",
        breaks="It hides that units are in several.",
    ),
    Term(
        key="cortex",
        brain="cortical sheet",
        here="cortex of the model",
        says="Each layer laid out as a sheet, units of the same network side by side.",
        breaks="Places are computed from the networks: a blob is no finding.",
    ),
    Term(
        key="glass_brain",
        brain="glass brain",
        here="three sides",
        says="The strongest value along each line of sight.",
    ),
    Term(
        key="fnc",
        brain="functional connectivity",
        here="functional connectivity",
        says="Correlation of the time courses of two networks. It has no direction.",
    ),
    Term(
        key="dual_regression",
        brain="dual regression",
        here="applying an atlas",
        says="The maps of one recording fitted to another, to find their time courses there.",
    ),
    Term(
        key="domain",
        brain="task, condition",
        here="domain",
        says="A kind of text: a language, a programming language, legal prose.",
    ),
    Term(
        key="decoding",
        brain="functional decoding",
        here="decoding",
        says="What drives a network: kinds of text, words, the next token.",
    ),
    Term(
        key="reverse_inference",
        brain="reverse inference",
        here="reverse inference",
        says="From activity to what the model is doing: only good if the network is rarely active "
        "otherwise.",
    ),
    Term(
        key="localizer",
        brain="localizer",
        here="localizer",
        says="Items of two or more conditions, read by the model, and the networks that respond.",
    ),
    Term(
        key="design",
        brain="block design, design matrix",
        here="block design, design matrix",
        says="Which condition each token belongs to, as columns of a table.",
        breaks="Without a haemodynamic response.",
    ),
    Term(
        key="contrast",
        brain="contrast",
        here="contrast",
        says="The difference between conditions, with its test.",
    ),
    Term(
        key="unit_of_resampling",
        brain="random effect (people)",
        here="unit of resampling (documents)",
        says="What counts as one observation: a document, a block or a template, never a token.",
    ),
    Term(
        key="fdr",
        brain="false discovery rate",
        here="false discovery rate",
        says="The share of false ones among what is called a finding, kept below a level when "
        "many things are tested.",
    ),
    Term(
        key="lesion",
        brain="lesion",
        here="silenced units",
        says="Units scaled down, to zero as a rule, while the model reads.",
        breaks="Exact, and undone at once.",
    ),
    Term(
        key="lesion_control",
        brain="control lesion",
        here="size-matched random lesion",
        says="As many units in the same layers, of like magnitude, drawn at random.",
    ),
    Term(
        key="dissociation",
        brain="double dissociation",
        here="double dissociation",
        says="One lesion hurts A and not B, another hurts B and not A.",
    ),
    Term(
        key="pruning",
        brain="resection",
        here="pruning",
        says="Units removed for good, so that the model is smaller.",
        breaks="Surgeons remove what is ill; we remove what is least missed.",
    ),
    Term(
        key="ratio",
        brain="(none)",
        here="ratio",
        says="The share of all MLP units that is removed.",
    ),
    Term(
        key="energy",
        brain="(none)",
        here="network energy",
        says="A score: how much a unit's output varies while preserved networks are active.",
    ),
    Term(
        key="compensation",
        brain="recovery, plasticity",
        here="compensation",
        says="What stays is adjusted so that it makes up for what went.",
        breaks="Brains do it by themselves, models when asked.",
    ),
    Term(
        key="perplexity",
        brain="test score",
        here="perplexity, loss",
        says="How surprised the model is by the next token: lower is better. Loss is its "
        "logarithm, in nats.",
    ),
    Term(
        key="smoothing",
        brain="spatial smoothing",
        here="(only for the eye)",
        says="Averaging with neighbours. Here it only makes surfaces, never statistics.",
        breaks="Units have no neighbours to average with.",
    ),
    Term(
        key="sinks",
        brain="(none)",
        here="sink units",
        says="Units that serve the first tokens, to which attention goes when it has nowhere to "
        "go. Without them the model breaks.",
    ),
)
TERMS: dict[str, Term] = {row.key: row for row in _ROWS}


def tip(key: str) -> str:
    """Return the tooltip of a concept, as Markdown: both words, what it is, where it breaks."""
    row = TERMS[key]
    words = f"**{row.here}**"
    if row.brain != row.here:
        words += f" · in neuroimaging: **{row.brain}**"
    return "  \n".join(part for part in (words, row.says, row.breaks) if part)


def both(key: str) -> str:
    """Return a concept's two words in short, or the one that both fields use."""

    def short(words: str) -> str:
        return words.split(",")[0].split(" (")[0]

    row = TERMS[key]
    words = [short(each) for each in (row.brain, row.here) if not each.startswith("(")]
    return " · ".join(dict.fromkeys(words))


def found(words: str) -> list[Term]:
    """Return the concepts in which all words occur, in the order of the table."""
    wanted = words.lower().split()
    return [
        row
        for row in TERMS.values()
        if all(w in f"{row.brain} {row.here} {row.says} {row.breaks}".lower() for w in wanted)
    ]
