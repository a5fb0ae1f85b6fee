from pathlib import Path

from fnprune_core.export import speed


def test_speed_of_exported_folders_is_measured_beside_the_dense_model(program, model, monkeypatch):
    asked = {}

    def time_folders(folders, *, dtype, settings, **options) -> speed.Speed:
        asked.update(folders, settings=settings)
        took = {name: (1.0 / (i + 1), 2.0 / (i + 1)) for i, name in enumerate(folders)}
        models = {
            name: speed.ModelSpeed(
                prefill_s=seconds, decoding_s=seconds, peak_bytes=2_000_000, bytes_before=1,
                n_parameters=1, parameter_bytes=4_000_000,
            )
            for name, seconds in took.items()
        }  # fmt: skip
        protocol = {
            "n_prefill": 8, "n_decode": 4, "n_rounds": 2, "dtype": str(dtype), "device": "cpu",
            "device_name": "a CPU", "threads": 1, "torch": "2", "transformers": "5",
        }  # fmt: skip
        return speed.Speed(models=models, protocol=protocol)

    monkeypatch.setattr(speed, "time_folders", time_folders)
    words = ("speed", model, "--model", model, "--prefill", 8, "--decode", 4, "--rounds", 2)
    rows = program.json(*words)["rows"]
    assert list(asked) == ["dense", Path(model).name, "settings"]
    assert asked["settings"] == speed.SpeedSettings(n_prefill=8, n_decode=4, n_rounds=2)
    assert [row["decoding_ratio"] for row in rows] == [1, 2]
    shown = " ".join(program(*words).split())
    assert "2.00 (2.00 to 2.00)" in shown
    assert "2 rounds in alternating order" in shown
