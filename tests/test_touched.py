"""`make quick`: every module leads to tests, its own among them."""

import touched


def test_every_module_leads_to_tests_that_exist() -> None:
    modules = [
        path.relative_to(touched.ROOT).as_posix()
        for package in ("app", "fnprune_core")
        for path in (touched.ROOT / package).rglob("*.py")
    ]
    for module in modules:
        found = touched.tests_of(module)
        assert found, module
        assert all(path.exists() for path in found), module


def test_a_module_leads_to_its_own_tests_and_a_helper_to_who_imports_it() -> None:
    tests = touched.TESTS
    assert tests / "core/pruning/test_slicing.py" in touched.tests_of(
        "fnprune_core/pruning/slicing.py"
    )
    assert tests / "app/figures/test_markup.py" in touched.tests_of("app/figures/markup.py")
    assert tests / "test_docs.py" in touched.tests_of("tests/guide.py")
    assert touched.tests_of("tests/core/atlas/conftest.py") == {tests / "core/atlas"}
    assert touched.tests_of("tests/test_docs.py") == {tests / "test_docs.py"}
    assert not touched.tests_of("README.md")
