import json

import numpy as np
import pytest
import tiny
import torch

from fnprune_core.errors import FnpruneError, PlanError, SettingsError
from fnprune_core.evaluation.results import DENSE
from fnprune_core.export import speed, timing
from fnprune_core.export.speed import ModelSpeed, Speed, SpeedSettings, measure_speed, open_speed
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.pruning import planner

QUICK = SpeedSettings(n_prefill=16, n_decode=4, n_rounds=3)


def model_speed(prefill, decoding, **changes):
    values = {
        "prefill_s": tuple(prefill),
        "decoding_s": tuple(decoding),
        "peak_bytes": 10,
        "bytes_before": 4,
        "n_parameters": 3,
        "parameter_bytes": 12,
    }
    return ModelSpeed(**{**values, **changes})


PROTOCOL = {
    "n_prefill": 100, "n_decode": 10, "n_rounds": 3, "dtype": "float32", "device": "cpu",
    "device_name": "a CPU", "threads": 1, "torch": "2", "transformers": "5",
}  # fmt: skip


def test_ratios_are_paired_by_round():
    """A machine that slows down tenfold for a round slows both: the ratio doesn't see it."""
    found = Speed(
        models={
            DENSE: model_speed([1.0, 10.0, 1.2], [2.0, 20.0, 2.0]),
            "uniform": model_speed([0.5, 5.0, 0.4], [2.0, 10.0, 4.0]),
        },
        protocol=PROTOCOL,
    )
    ratio = found.ratio("uniform", "prefill")
    assert (ratio.median, ratio.low) == (2.0, 2.0)
    assert ratio.high == pytest.approx(3.0)
    ratio = found.ratio("uniform", "decoding")
    assert (ratio.low, ratio.median, ratio.high) == (0.5, 1.0, 2.0)
    assert found.tokens_per_second("uniform", "prefill") == 200
    assert found.tokens_per_second("uniform", "decoding") == 2.5
    dense, uniform = found.rows()
    assert dense["prefill_ratio_interval"] == [1, 1]
    assert uniform["decoding_ratio_interval"] == [0.5, 2.0]
    assert "median and range" in found.sentence()
    again = Speed.from_json(json.loads(json.dumps(found.to_json())))
    assert again.rows() == found.rows()
    assert list(again.models) == [DENSE, "uniform"]
    for part in ("100 tokens", "10 written", "float32", "a CPU", "1 threads", "3 rounds"):
        assert part in found.sentence()


def test_the_median_has_an_interval_that_more_rounds_narrow():
    """Chance that it misses: twice that of at most 2 heads in 12 tosses, .039; with 3 it is .15."""
    ratios = [0.2, 0.9, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 9.0]
    ones = model_speed([1.0] * 12, [1.0] * 12)
    found = Speed(
        models={DENSE: ones, "uniform": model_speed([1 / r for r in ratios], [1.0] * 12)},
        protocol={**PROTOCOL, "n_rounds": 12},
    )
    ratio = found.ratio("uniform", "prefill")
    assert (ratio.low, ratio.median, ratio.high) == pytest.approx((1.1, 1.45, 1.8))
    assert "median and 95 % interval" in found.sentence()


def test_memory_is_that_of_the_fresh_process_and_not_of_its_parent(tmp_path, llama):
    """ru_maxrss outlives exec: a process started by a large one said the large one's memory."""
    ballast = np.ones(200_000_000, dtype=np.uint8)
    llama.model.save_pretrained(tmp_path)
    found = speed.time_folders(
        {DENSE: tmp_path}, dtype=torch.float32, device=torch.device("cpu"), settings=QUICK
    )
    own = timing.resident_bytes()
    assert own > ballast.nbytes
    assert found.models[DENSE].bytes_before < found.models[DENSE].peak_bytes < own


def test_a_plans_copies_are_measured_in_fresh_processes_and_kept(workspace, llama, recording):
    settings = PlanSettings(score="flap", ratio=0.3, allocation="uniform", sink_units=2, multiple=8)
    plan = planner.plan(workspace, llama, recording_id=recording.id, settings=settings)
    events = []
    id = measure_speed(workspace, llama, plan, settings=QUICK, progress=events.append)
    found = open_speed(workspace, id)
    assert list(found.models) == [DENSE, "masked", "uniform"]
    for row in found.rows():
        numbers = [v for k, v in row.items() if k not in ("model", "prefill_ratio_interval")]
        assert np.isfinite(np.hstack(numbers)).all()
        assert min(row["prefill_tokens_per_s"], row["decoding_ratio"]) > 0
        assert row["peak_bytes"] > row["bytes_before"] > 10_000_000
    dense, masked, uniform = found.models.values()
    assert dense.n_parameters == masked.n_parameters == llama.anatomy().n_parameters
    gone = 3 * 8 * 3 * 32  # layers × units × (gate, up, down) × hidden
    assert uniform.n_parameters == dense.n_parameters - gone
    assert all(len(each.prefill_s) == 3 for each in found.models.values())
    protocol = found.protocol
    assert (protocol["n_prefill"], protocol["n_decode"], protocol["n_rounds"]) == (16, 4, 3)
    assert (protocol["device"], protocol["dtype"], protocol["threads"]) == ("cpu", "float32", 1)
    assert protocol["device_name"]
    assert events[-1].done == events[-1].total == 4  # a round to warm up, three that count
    assert speed.speeds_of(workspace, plan) == [id]
    assert [path.name for path in workspace.root.glob(".*")] == []
    assert tiny.is_idle(llama)


def test_what_cannot_be_measured_is_told(workspace, llama, recording, tmp_path):
    settings = PlanSettings(score="flap", ratio=0.3, sink_units=2)
    plan = planner.plan(workspace, llama, recording_id=recording.id, settings=settings)
    with pytest.raises(PlanError, match="for other tools"):
        measure_speed(workspace, llama, plan, forms=["gguf"], settings=QUICK)
    with pytest.raises(SettingsError, match="n_rounds must be 1 or more"):
        SpeedSettings(n_rounds=0)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "marble"}))
    options = {"dtype": torch.float32, "device": torch.device("cpu"), "settings": QUICK}
    with pytest.raises(FnpruneError, match=r"without a result: .*marble"):
        speed.time_folders({"mine": tmp_path}, **options)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        speed.time_folders({"mine": tmp_path}, cancel=token, **options)
    assert workspace.ids("speeds") == []
