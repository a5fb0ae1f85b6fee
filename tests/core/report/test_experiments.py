def test_lesions_are_told_with_their_unit_and_correction(made) -> None:
    told = "".join(made.page.text)
    assert "paired t over blocks of windows" in told  # the unit, where there are random lesions
    assert "false discovery rate" in told
    shown = made.page.tables["lesions"]
    excess = [float(row[7].replace("−", "-")) for row in shown]
    assert excess == sorted(excess, reverse=True)
    assert len(shown) == 6  # three lesions, two domains
