"""Linked views: any two statistics, and one selection for scatter, map, course and texts."""

from driving import drawn, view

from app.atlas.networks.linked.figures import network_scatter
from app.figures.theme import PALETTES
from app.shell.caches import networks as cache


def scatter(table, *, selected=1, ringed=()):
    return network_scatter(
        table.assign(name=[f"n {k}" for k in table["network"]]),
        axes=(("variance_alone", "variance alone"), ("specificity", "specificity")),
        colours=["#112233"] * len(table),
        selected=selected,
        ringed=ringed,
        palette=PALETTES["dark"],
    )


def test_the_scatter_has_each_network_once_with_the_selected_one_on_top(fresh, example) -> None:
    table = cache.statistics(example.atlas)
    picture = scatter(table, selected=1, ringed=(0,))
    (trace,) = picture.figure.data
    assert sorted(trace.customdata) == table["network"].tolist()
    assert trace.customdata[-1] == 1
    by_network = dict(zip(trace.customdata, trace.y, strict=True))
    assert all(abs(by_network[k] - table["specificity"][k]) < 1e-6 for k in table["network"])
    widths = dict(zip(trace.customdata, trace.marker.line.width, strict=True))
    assert (widths[0], widths[1], widths[2]) == (2, 2, 1)
    rank = 1 + int((table["variance_alone"] > table["variance_alone"][1]).sum())
    assert f"number {rank} by the first" in picture.alternative


def test_axes_and_selection_are_in_the_url_and_in_all_views(open_page, example) -> None:
    at = open_page("atlas", **example.view(), network="2", part="linked-xspecificity-ynetwork")
    assert not at.exception
    assert not at.error
    assert at.selectbox(key="linked-x-specificity").value == "specificity"
    alternatives = " ".join(chart.proto.alt for chart in at.get("plotly_chart"))
    assert "networks by specificity to domains and number. Network 2" in alternatives
    assert "Time course of network 2" in alternatives
    passage = cache.passages(example.atlas, 2, 0)[0]
    reader = drawn(at, "linked-passage-0")
    assert "Passage 1 of network 2" in str(reader)
    assert f"Session {cache.session_titles(example.atlas)[passage.session]}" in " ".join(
        each.value.replace("\\", "") for each in at.caption
    )
    at.selectbox(key="linked-y-network").set_value("map_kurtosis").run()
    assert not at.exception
    assert at.query_params["part"] == "linked-xspecificity-ymapkurtosis"
    at.toggle(key="linked-open").set_value(False).run()
    assert not at.exception
    assert view(at).part == "xspecificity-ymapkurtosis"
    assert drawn(at, "gallery")["selected"] == 2
