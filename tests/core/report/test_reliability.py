import shutil
import warnings

from written_report import N_NETWORKS, Page

from app.report.html_page import report_page
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.reliability import assess
from fnprune_core.report import material
from fnprune_core.storage.workspace import Workspace


def test_trust_is_told_against_chance_once_it_is_measured(made, tmp_path) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(made.where, root)
    workspace = Workspace(root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        assess.assess(workspace, made.atlas, parts=("halves", "rotated", "gaussian"))
    m = material.open_material(workspace, made.atlas, n_detailed=0)
    page = Page(report_page(m, ("methods", "trust")))
    told = "".join(page.text)
    assert "3 times; each half was decomposed by itself" in told
    assert "one in twenty lies above it" in told
    assert "Of random directions: rotated 0." in told
    rows = {row[0]: row for row in page.tables["nulls"]}
    assert rows["split-half r"][5] == f"{0.05 * N_NETWORKS:.1f}"  # that many by chance
    assert (
        "seeds" in page.text[-1] or "Not measured: members of networks, other random starts" in told
    )
