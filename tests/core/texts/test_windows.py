import pytest
from counting_texts import counting, cut

from fnprune_core.errors import SettingsError
from fnprune_core.texts.documents import Document


def test_session_position_and_dummy_tokens_follow_the_windows() -> None:
    windows = cut(counting(7), window=3, n_dummy_tokens=1, allow_short=True)
    assert windows.session.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert windows.position.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert windows.is_dummy.tolist() == [True, False, False, True, False, False, True]
    assert windows.n_dropped_tokens == 0


def test_select_keeps_order_and_only_the_names_in_use() -> None:
    windows = cut(
        Document(counting(20), "a", "a1"),
        Document(counting(20, 100), "b", "b1"),
        Document(counting(10, 200), "b", "b2"),
        window=10,
    )
    chosen = windows.select([4, 0])
    assert [int(chosen.window_ids(i)[0]) for i in range(2)] == [210, 10]
    assert chosen.document_names == ("a1", "b2")
    assert chosen.document_index.tolist() == [1] * 10 + [0] * 10
    assert windows.select(range(5)).text_sha256 == windows.text_sha256
    with pytest.raises(SettingsError, match="No window"):
        windows.select([])
    for outside in (-1, 5):
        with pytest.raises(IndexError):
            windows.window_ids(outside)
        with pytest.raises(IndexError):
            windows.select([outside])


def test_hash_tells_texts_windows_and_names_apart() -> None:
    def hashed(text: str = counting(40), domain: str = "a", name: str = "x", n: int = 10) -> str:
        return cut(Document(text, domain, name), window=n).text_sha256

    variants = [
        hashed(),
        hashed(counting(40, 1)),
        hashed(domain="b"),
        hashed(name="y"),
        hashed(n=5),
    ]
    assert len(set(variants)) == len(variants)
    assert hashed() == variants[0]


def test_windows_cannot_be_written_to() -> None:
    windows = cut(counting(10), window=10)
    with pytest.raises(ValueError, match="read-only"):
        windows.token_ids[0] = 1
    with pytest.raises(AttributeError):
        windows.window = 3  # type: ignore[misc]
