from driving import finish, press, said


def test_more_networks_than_the_recording_bears(open_page, example) -> None:
    at = open_page("decompose", **example.view())
    at.number_input(key="ica-k").set_value(500).run()
    press(at, "Decompose")
    assert finish(at).state == "failed"
    assert "500" in said(at)
    assert not at.exception
    assert at.number_input(key="ica-k").value == 500
