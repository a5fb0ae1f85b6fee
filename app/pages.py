"""Which pages there are: one row each; the navigation and the bar of the atlas are made from it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page: the file of its view, and what the navigation says of it."""

    path: str
    title: str
    icon: str
    help: str


WORK = (
    Page(
        path="views/start.py",
        title="Start",
        icon="home",
        help="Open the example, load a model, or go on with earlier work.",
    ),
    Page(
        path="views/record.py",
        title="Record",
        icon="graphic_eq",
        help="Record every unit of the model while it reads texts.",
    ),
    Page(
        path="views/decompose.py",
        title="Decompose",
        icon="hub",
        help="Find the functional networks of a recording.",
    ),
)
ATLAS = (
    Page(
        path="views/atlas.py",
        title="Networks",
        icon="neurology",
        help="Look at each network: its map, its time course, its texts.",
    ),
    Page(
        path="views/parcellation.py",
        title="Parcellation",
        icon="dashboard",
        help="See the whole model, each unit in the colour of its strongest network.",
    ),
    Page(
        path="views/connectome.py",
        title="Connectome",
        icon="graph_3",
        help="See which networks go together in time and in place, and what groups they form.",
    ),
    Page(
        path="views/embedding.py",
        title="Embedding",
        icon="scatter_plot",
        help="See which units and which networks behave alike, and pick them by a lasso.",
    ),
    Page(
        path="views/carpet.py",
        title="Carpet",
        icon="view_comfy",
        help="See units over tokens, by layer or by network.",
    ),
    Page(
        path="views/probe.py",
        title="Probe",
        icon="edit_note",
        help="Type a text of your own and see which networks it lights up.",
    ),
    Page(
        path="views/unit.py",
        title="Unit",
        icon="adjust",
        help="Look at one neuron: its networks, its texts, its weights.",
    ),
    Page(
        path="views/trust.py",
        title="Trust",
        icon="fact_check",
        help="See how sure each network is, and how many networks the data bear.",
    ),
    Page(
        path="views/compare.py",
        title="Compare",
        icon="compare_arrows",
        help="Match this atlas with another one, carry names over, apply it to other texts.",
    ),
    Page(
        path="views/scanner.py",
        title="Scanner",
        icon="radiology",
        help="See the same map drawn by nilearn, beside a real brain.",
    ),
    Page(
        path="views/files.py",
        title="Files",
        icon="folder_open",
        help="Take maps, names and tables away, and bring names and images back.",
    ),
)
PRUNE = Page(
    path="views/prune.py",
    title="Prune",
    icon="content_cut",
    help="Choose networks to preserve, prune, and watch the perplexity.",
)
AFTER = (
    Page(
        path="views/plans.py",
        title="Plans",
        icon="stacked_line_chart",
        help="Compare the plans that were made, name and open them; sweep over ratios.",
    ),
    Page(
        path="views/generations.py",
        title="Generations",
        icon="text_compare",
        help="See what the model writes before and after, side by side.",
    ),
    Page(
        path="views/export.py",
        title="Export",
        icon="save",
        help="Take the pruned model away, checked, with what was measured of it.",
    ),
    Page(
        path="views/report.py",
        title="Report",
        icon="summarize",
        help="Put methods, results, limits and commands into one file that prints.",
    ),
)
EXPERIMENT = (
    Page(
        path="views/localizers.py",
        title="Localizers",
        icon="experiment",
        help="Let the model read two kinds of texts by turns, and see which networks respond.",
    ),
    Page(
        path="views/lesions.py",
        title="Lesions",
        icon="healing",
        help="Silence networks one at a time, and see what the model can no longer do.",
    ),
)
LEARN = (
    Page(
        path="views/learn.py",
        title="Lesson",
        icon="school",
        help="Learn in eleven short chapters what is like a brain here, and what is not.",
    ),
    Page(
        path="views/glossary.py",
        title="Glossary",
        icon="dictionary",
        help="Both words for each concept: neuroscience's, and a language model's.",
    ),
    Page(
        path="views/teach.py",
        title="For teachers",
        icon="co_present",
        help="A plan for 50 minutes, answers, a link to each step; made to be printed.",
    ),
)
