from app.shell import resources


def test_earlier_work_is_listed(open_page, example) -> None:
    at = open_page()
    listed = at.dataframe[-1].value
    assert set(listed["what"].str.partition(":")[0]) == {"Decomposition", "Recording"}
    assert resources.workspace().root.name == "workspace"
