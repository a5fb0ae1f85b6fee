from driving import finish, press, said


def test_more_networks_than_the_recording_bears(open_page, example) -> None:
    at = open_page("decompose", **example.view())
    at.number_input(key="ica-k").set_value(500).run()
    press(at, "Decompose")
    assert finish(at).state == "failed"
    assert "500" in said(at)
    assert not at.exception
    assert at.number_input(key="ica-k").value == 500


def test_of_a_summary_only_what_can_be_found_in_it_is_offered(open_page, example, summarised):
    at = open_page("decompose", **example.view())
    at.number_input(key="ica-k").set_value(500).run()
    at.segmented_control(key="ica-scope").set_value("layer").run()
    assert not any("A summary was kept" in caption.value for caption in at.caption)
    at = open_page("decompose", **summarised)
    assert at.number_input(key="ica-k").max == 6
    assert at.number_input(key="ica-k").value == 6
    controls = [each.key for each in at.segmented_control]
    assert "ica-algorithm" in controls
    assert "ica-scope" not in controls
    assert "ica-normalize" not in controls
    assert any("up to 6 networks, of the whole model" in each.value for each in at.caption)
    assert not any("halves of the documents" in each.value for each in at.caption)
    at.number_input(key="ica-k").set_value(5).run()
    press(at, "Decompose")
    assert finish(at).state == "done"
    assert not at.exception
