"""The embedding page: computed as a job, coloured, and picked from."""

import numpy as np
import pytest
from driving import finish, press, view

from app.shell import resources
from app.shell.caches import embedding as cache
from app.widgets import lasso
from fnprune_core.atlas import embedding


@pytest.fixture
def placed(example, monkeypatch):
    """The example, with t-SNE replaced by a projection."""

    def project(features, **options):
        return np.asarray(features[:, :2] + 1e-3 * features[:, 2:4], dtype=np.float32)

    monkeypatch.setattr(embedding, "place_units", project)
    monkeypatch.setattr(embedding, "place_networks", lambda d, **_: d[:, :2].astype(np.float32))
    embedding.embed(resources.workspace(), example.atlas)
    return example


def test_the_embedding_is_offered_made_and_found(open_page, placed) -> None:
    folder = resources.workspace().folder("embeddings", embedding.embedding_id(placed.atlas))
    (folder / "manifest.json").rename(folder.parent / "kept.json")
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    at = open_page("embedding", **placed.view())
    assert not at.get("plotly_chart")
    press(at, "Compute the embedding")
    assert finish(at).state == "done"
    at.run()
    (chart,) = at.get("plotly_chart")
    assert "t-SNE of 144 units" in chart.proto.alt
    assert any("All 144 units that vary are shown." in c.value for c in at.caption)
    assert not at.exception


def test_a_lasso_lists_units_and_opens_a_network(open_page, placed, monkeypatch) -> None:
    monkeypatch.setattr(lasso, "chosen_rows", lambda event: list(range(30)))
    monkeypatch.setattr(lasso, "MOST_ROWS", 12)
    at = open_page("embedding", **placed.view(), z="1.5")
    assert "30 units selected" in [h.value for h in at.subheader]
    assert "The 12 strongest of 30 are listed." in [c.value for c in at.caption]
    listed = at.dataframe[-1].value
    assert len(listed) == 12
    assert (listed["z"].abs().diff().dropna() <= 0).all()
    whole = cache.unit_table(placed.atlas, 1.5, list(range(30)))
    counts = whole.loc[whole["network"] >= 0, "network"].value_counts()
    buttons = [b.label for b in at.button if str(b.key).startswith("embedding-open-")]
    said = [int(label.rsplit(": ", 1)[1].split()[0]) for label in buttons]
    assert sum(said) == counts.sum()
    assert f"and {30 - sum(said)} in no network (|z| above 1.5)" in [c.value for c in at.caption]
    most = whole.loc[whole["network"] >= 0, "network"].value_counts().index[0]
    press(at, next(b.label for b in at.button if b.key == f"embedding-open-{most}"))
    assert view(at).network == most
    assert not at.exception


def test_networks_are_drawn_with_their_neighbours_and_a_click_selects(
    open_page, placed, monkeypatch
) -> None:
    at = open_page("embedding", **placed.view(), show="maps", network="2")
    (chart,) = at.get("plotly_chart")
    assert "t-SNE of 6 networks" in chart.proto.alt
    near = cache.neighbours(placed.atlas, 2, by="maps")
    assert len(near) == 5
    assert 2 not in near
    monkeypatch.setattr(lasso, "chosen_rows", lambda event: [4])
    at.run()
    assert view(at).network == 4
    assert not at.exception


def test_members_are_the_rule_where_they_are_known(open_page, placed, members_known) -> None:
    known = members_known
    units = embedding.open_embedding(
        resources.workspace(), embedding.embedding_id(placed.atlas)
    ).units
    points = cache.unit_points(placed.atlas, None)
    assert np.array_equal(points.network >= 0, known[:, units].any(axis=0))
    belongs = points.network >= 0
    assert known[points.network[belongs], units[belongs]].all()
    assert cache.sizes(placed.atlas, None).tolist() == known.sum(axis=1).tolist()
    at = open_page("embedding", **placed.view())
    assert not at.exception
    assert "(members in halves of the documents)" in at.get("plotly_chart")[0].proto.alt
    said = " ".join(c.value for c in at.caption)
    assert "2.0 % do (40 %)" in said  # of shifted units, where the rule is chosen
    at.segmented_control(key="units of a network").set_value("By |z|").run()
    assert "(|z| above 3)" in at.get("plotly_chart")[0].proto.alt
