"""Table of the pages, one row each; the navigation and the bar of the atlas are made from it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page: its file, its URL, and what the navigation says of it."""

    path: str
    url: str
    title: str
    icon: str
    help: str


WORK = (
    Page(
        path="start/page.py",
        url="start",
        title="Start",
        icon="home",
        help="Open the example, load a model, or go on with earlier work.",
    ),
    Page(
        path="recording/record_page.py",
        url="record",
        title="Record",
        icon="graphic_eq",
        help="Record every unit of the model while it reads texts.",
    ),
    Page(
        path="recording/decompose_page.py",
        url="decompose",
        title="Decompose",
        icon="hub",
        help="Find the functional networks of a recording.",
    ),
)
ATLAS = (
    Page(
        path="atlas/networks/page.py",
        url="atlas",
        title="Networks",
        icon="neurology",
        help="Look at each network: its map, its time course, its texts.",
    ),
    Page(
        path="atlas/parcellation/page.py",
        url="parcellation",
        title="Parcellation",
        icon="dashboard",
        help="See the whole model, each unit in the colour of its strongest network.",
    ),
    Page(
        path="atlas/connectome/page.py",
        url="connectome",
        title="Connectome",
        icon="graph_3",
        help="See which networks go together in time and in place, and what groups they form.",
    ),
    Page(
        path="atlas/embedding/page.py",
        url="embedding",
        title="Embedding",
        icon="scatter_plot",
        help="See which units and which networks behave alike, and pick them by a lasso.",
    ),
    Page(
        path="atlas/carpet/page.py",
        url="carpet",
        title="Carpet",
        icon="view_comfy",
        help="See units over tokens, by layer or by network.",
    ),
    Page(
        path="atlas/probe/page.py",
        url="probe",
        title="Probe",
        icon="edit_note",
        help="Type a text of your own and see which networks it lights up.",
    ),
    Page(
        path="atlas/live/page.py",
        url="live",
        title="Live scanner",
        icon="play_circle",
        help="Watch the networks light up in the body while the model reads or writes.",
    ),
    Page(
        path="atlas/unit/page.py",
        url="unit",
        title="Unit",
        icon="adjust",
        help="Look at one neuron: its networks, its texts, its weights.",
    ),
    Page(
        path="atlas/reliability/page.py",
        url="trust",
        title="Trust",
        icon="fact_check",
        help="See how sure each network is, and how many networks the data bear.",
    ),
    Page(
        path="atlas/compare/page.py",
        url="compare",
        title="Compare",
        icon="compare_arrows",
        help="Match this atlas with another one, carry names over, apply it to other texts.",
    ),
    Page(
        path="atlas/scanner/page.py",
        url="scanner",
        title="Scanner",
        icon="radiology",
        help="See the same map drawn by nilearn, beside a real brain.",
    ),
    Page(
        path="atlas/files/page.py",
        url="files",
        title="Files",
        icon="folder_open",
        help="Take maps, names and tables away, and bring names and images back.",
    ),
)
PRUNE = Page(
    path="pruning/lab/page.py",
    url="prune",
    title="Prune",
    icon="content_cut",
    help="Choose networks to preserve, prune, and watch the perplexity.",
)
AFTER = (
    Page(
        path="pruning/plans/page.py",
        url="plans",
        title="Plans",
        icon="stacked_line_chart",
        help="Compare the plans that were made, name and open them; sweep over ratios.",
    ),
    Page(
        path="pruning/generations/page.py",
        url="generations",
        title="Generations",
        icon="text_compare",
        help="See what the model writes before and after, side by side.",
    ),
    Page(
        path="pruning/export/page.py",
        url="export",
        title="Export",
        icon="save",
        help="Take the pruned model away, checked, with what was measured of it.",
    ),
    Page(
        path="report/page.py",
        url="report",
        title="Report",
        icon="summarize",
        help="Put methods, results, limits and commands into one file that prints.",
    ),
)
EXPERIMENT = (
    Page(
        path="experiments/localizers/page.py",
        url="localizers",
        title="Localizers",
        icon="experiment",
        help="Let the model read two kinds of texts by turns, and see which networks respond.",
    ),
    Page(
        path="experiments/lesions/page.py",
        url="lesions",
        title="Lesions",
        icon="healing",
        help="Silence networks one at a time, and see what the model can no longer do.",
    ),
)
LEARN = (
    Page(
        path="learn/page.py",
        url="learn",
        title="Lesson",
        icon="school",
        help="Learn in eleven short chapters what is like a brain here, and what is not.",
    ),
    Page(
        path="learn/glossary_page.py",
        url="glossary",
        title="Glossary",
        icon="dictionary",
        help="Both words for each concept: neuroscience's, and a language model's.",
    ),
    Page(
        path="learn/teach_page.py",
        url="teach",
        title="For teachers",
        icon="co_present",
        help="A plan for 50 minutes, answers, a link to each step; made to be printed.",
    ),
)
PAGES = (*WORK, *ATLAS, PRUNE, *AFTER, *EXPERIMENT, *LEARN)
_BY_URL = {row.url: row for row in PAGES}


def path(url: str) -> str:
    """Return the file of the page at `url`, as Streamlit's links ask for it."""
    return _BY_URL[url].path
