from app.shell import glossary


def test_a_tip_has_both_words() -> None:
    for key, row in glossary.TERMS.items():
        assert row.here in glossary.tip(key)
        assert row.brain in glossary.tip(key) or row.brain == row.here
        assert row.says.endswith("."), key
        assert glossary.both(key)


def test_the_glossary_finds_words_of_either_field() -> None:
    assert next(row.key for row in glossary.matching_terms("Voxel")) == "voxel"
    assert "scan" in [row.key for row in glossary.matching_terms("token second")]
    assert glossary.matching_terms("zzz") == []
    assert len(glossary.matching_terms("")) == len(glossary.TERMS)
