"""Table of the pages, one row each; the navigation and the bars above a page are made from it.

A page shows one thing in one or several views. Each view has its own file and its own address, so
that a link opens it; the navigation lists pages, and a page's views stand in the bar above it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view of a page: its file, its address, its name, and what a person finds there."""

    path: str
    url: str
    title: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(View):
    """A page by its first view: how the navigation calls it, and which other views it has.

    Parameters
    ----------
    name : str
        What the navigation calls the page; empty where that is the first view's title.
    more : tuple of View
        Its views after the first.
    """

    icon: str
    name: str = ""
    more: tuple[View, ...] = ()

    @property
    def label(self) -> str:
        """Return what the navigation calls the page."""
        return self.name or self.title

    @property
    def views(self) -> tuple[View, ...]:
        """Return all views of the page, the first one first."""
        return (self, *self.more)


WORK = (
    Page(
        path="start/start_page.py",
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
        more=(
            View(
                path="recording/decompose_page.py",
                url="decompose",
                title="Decompose",
                help="Find the functional networks of a recording.",
            ),
        ),
    ),
)
ATLAS = (
    Page(
        path="atlas/networks/networks_page.py",
        url="atlas",
        title="Networks",
        icon="neurology",
        help="Look at each network: its map, its time course, its texts.",
        more=(
            View(
                path="atlas/unit/unit_page.py",
                url="unit",
                title="Unit",
                help="Look at one neuron: its networks, its texts, its weights.",
            ),
            View(
                path="atlas/scanner/scanner_page.py",
                url="scanner",
                title="Beside a brain",
                help="See a map beside one of a real brain, and networks as nilearn draws them.",
            ),
        ),
    ),
    Page(
        path="atlas/parcellation/parcellation_page.py",
        url="parcellation",
        title="Regions",
        icon="dashboard",
        help="See the whole model, each unit in the colour of its strongest network.",
        name="Parcellation",
        more=(
            View(
                path="atlas/embedding/embedding_page.py",
                url="embedding",
                title="Embedding",
                help="See which units and which networks behave alike, and pick them by a lasso.",
            ),
        ),
    ),
    Page(
        path="atlas/connectome/connectome_page.py",
        url="connectome",
        title="Connectome",
        icon="graph_3",
        help="See which networks go together in time and in place, and what groups they form.",
    ),
    Page(
        path="atlas/live/live_page.py",
        url="live",
        title="Live scanner",
        icon="play_circle",
        help="Watch the networks light up in the body while the model reads or writes.",
        name="Activity",
        more=(
            View(
                path="atlas/probe/probe_page.py",
                url="probe",
                title="Probe",
                help="Type a text of your own and see which networks it lights up.",
            ),
            View(
                path="atlas/carpet/carpet_page.py",
                url="carpet",
                title="Carpet",
                help="See units over tokens, by layer or by network.",
            ),
        ),
    ),
    Page(
        path="atlas/reliability/trust_page.py",
        url="trust",
        title="This atlas",
        icon="fact_check",
        help="See how reliable each network is, and how many networks the data support.",
        name="Trust",
        more=(
            View(
                path="atlas/compare/compare_page.py",
                url="compare",
                title="Compare",
                help="Match this atlas with another, carry names over, apply it to other texts.",
            ),
        ),
    ),
)
PRUNE = Page(
    path="pruning/lab/prune_page.py",
    url="prune",
    title="Prune",
    icon="content_cut",
    help="Choose networks to protect, prune, and watch the perplexity.",
)
EXPORT = Page(
    path="pruning/export/export_page.py",
    url="export",
    title="Export",
    icon="save",
    help="Take the pruned model away, checked, with what was measured of it.",
)
RESULTS = (
    Page(
        path="pruning/plans/plans_page.py",
        url="plans",
        title="Plans",
        icon="stacked_line_chart",
        help="Compare the plans that were made, name and open them; sweep over ratios.",
    ),
    Page(
        path="pruning/generations/generations_page.py",
        url="generations",
        title="Generations",
        icon="text_compare",
        help="See what the model writes before and after, side by side.",
    ),
    Page(
        path="report/report_page.py",
        url="report",
        title="Report",
        icon="summarize",
        help="Put methods, results, limits and commands into one file that prints.",
        more=(
            View(
                path="atlas/files/files_page.py",
                url="files",
                title="Files",
                help="Download maps, names and tables, and upload names and images again.",
            ),
        ),
    ),
)
EXPERIMENT = (
    Page(
        path="experiments/localizers/localizers_page.py",
        url="localizers",
        title="Localizers",
        icon="experiment",
        help="Let the model read two kinds of texts by turns, and see which networks respond.",
    ),
    Page(
        path="experiments/lesions/lesions_page.py",
        url="lesions",
        title="Lesions",
        icon="healing",
        help="Silence networks one at a time, and see what the model can no longer do.",
    ),
)
LEARN = Page(
    path="learn/lesson_page.py",
    url="learn",
    title="Lesson",
    icon="school",
    help="Learn in eleven short chapters what is like a brain here, and what is not.",
    name="Learn",
    more=(
        View(
            path="learn/glossary_page.py",
            url="glossary",
            title="Glossary",
            help="Both words for each concept: neuroscience's, and a language model's.",
        ),
        View(
            path="learn/teach_page.py",
            url="teach",
            title="For teachers",
            help="A plan for 50 minutes, answers, a link to each step; made to be printed.",
        ),
    ),
)
#: Where a plan that was measured goes on.
AFTER = (EXPORT, *RESULTS)
PAGES = (*WORK, *ATLAS, PRUNE, EXPORT, *RESULTS, *EXPERIMENT, LEARN)
#: Every view of every page: each has an address.
VIEWS = tuple(view for page in PAGES for view in page.views)
_PAGES = {view.url: page for page in PAGES for view in page.views}
_VIEWS = {view.url: view for view in VIEWS}


def path(url: str) -> str:
    """Return the file of the view at `url`, as Streamlit's links ask for it."""
    return _VIEWS[url].path


def page_of(url: str) -> Page:
    """Return the page that the view at `url` belongs to."""
    return _PAGES[url]
