"""Lists of tokens hide what may offend until a person asks for it."""

from streamlit.testing.v1 import AppTest


def test_words_that_may_offend_are_shown_on_request() -> None:
    def page() -> None:
        import streamlit as st

        from app.atlas import spared_words
        from fnprune_core.atlas.decoding import LogitEffect

        effects = [LogitEffect(text=text, effect=2.0) for text in (" murder", " sea")]
        promoted, suppressed = spared_words.shown(effects, effects[1:])
        st.text(f"{[each.text for each in promoted]} {[each.text for each in suppressed]}")

    at = AppTest.from_function(page, default_timeout=60).run()
    assert at.text[0].value == "['(hidden)', ' sea'] [' sea']"
    assert at.toggle[0].label == "Show 1 word that may offend"
    at.toggle[0].set_value(True).run()
    assert at.text[0].value == "[' murder', ' sea'] [' sea']"
