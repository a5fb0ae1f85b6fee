"""A network's gain while the model writes, and the heads that carry it."""

from driving import captions, finish, press

from app.atlas.atlas_tasks import HEADS, STEER
from app.shell import resources
from app.shell.caches import networks as cache
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import PRUNED


def test_both_texts_are_written_and_a_move_of_the_slider_writes_again(open_page, example) -> None:
    at = open_page(
        "atlas", **example.view(), network="1", z="1.5", show="writing-g5", prompt="ab cq dr"
    )
    assert not at.exception
    assert at.slider(key="steering-gain").value == 0.5
    press(at, "Write")
    job = finish(at)
    assert (job.kind, job.state) == (STEER, "done"), job.failure
    assert job.result.order.gains == ((1, 0.5),)
    assert not at.exception
    assert "Network 1 at 0.5" in [each.value for each in at.subheader]
    assert f"{job.result.n_units:,} units were scaled" in captions(at)
    dense = job.result.texts.written[DENSE]
    at.slider(key="steering-gain").set_value(1.0).run()
    again = finish(at)
    assert again.id != job.id
    assert again.result.texts.written[DENSE] is dense  # not written once more
    assert again.result.texts.text(PRUNED) == again.result.texts.text(DENSE)
    assert "Both texts are the same" in captions(at)
    assert "writing-g10" in at.query_params["show"]


def test_the_heads_are_read_once_for_all_networks(open_page, example) -> None:
    at = open_page("atlas", **example.view(), network="1", show="units")
    assert cache.heads(example.atlas) is None
    press(at, "Read the heads")
    job = finish(at)
    assert (job.kind, job.state) == (HEADS, "done"), job.failure
    at.run()
    assert not at.exception
    heads = cache.heads(example.atlas)
    assert heads is not None
    assert len(heads.share) == resources.atlas(example.atlas).n_networks
    alternatives = " ".join(chart.proto.alt for chart in at.get("plotly_chart"))
    assert "Network 1 in 12 attention heads" in alternatives
