def test_stopping_by_the_keyboard_is_no_failure(program, model, texts, monkeypatch) -> None:
    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("fnprune_core.recording.record.record_texts", stop)
    code, _, err = program.run("record", texts / "calibration", "--model", model)
    assert code == 130
    assert err.endswith("Stopped. What was finished is kept.\n")
    assert "Traceback" not in err


def test_progress_is_drawn_for_people_at_a_terminal_alone(program, model, texts, monkeypatch):
    words = ("record", texts / "calibration", "--model", model, "--window")
    _, _, err = program.run(*words, 64)
    assert "sessions" not in err
    monkeypatch.setenv("FORCE_COLOR", "1")
    _, _, err = program.run(*words, 32)
    assert "sessions" in err
    _, _, err = program.run(*words, 128, "--json")
    assert "sessions" not in err


def test_runs_that_did_not_converge_are_told(program, model, texts) -> None:
    program("record", texts / "calibration", "--model", model)
    words = ("decompose", "latest", "-k", 4, "--runs", 2, "--max-iter", 1)
    code, _, err = program.run(*words)
    assert code == 0
    assert "Warning: 2 of 2 ICA runs did not converge" in err
    assert "2 of 2 ICA runs" in program.json(*words)["warning"]


def test_a_summary_is_estimated_recorded_and_decomposed(program, model, texts) -> None:
    words = ("record", texts / "calibration", "--window", 64, "--model", model)
    kept = ("--keep", "summary", "--most-networks", 4)
    estimate = program.json(*words, *kept, "--dry-run")
    assert estimate["memory_bytes"] > program.json(*words, "--dry-run")["memory_bytes"]
    recording = program.json(*words, *kept)
    assert recording["keep"] == "summary"
    decompose = ("decompose", recording["id"], "--runs", 1, "--fun", "logcosh", "-k")
    assert len(program.json(*decompose, 4)["networks"]) == 4
    code, _, err = program.run(*decompose, 5)
    assert code == 2
    assert "up to 4 networks" in err
    assert "--most-networks" in err
