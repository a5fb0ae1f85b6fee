"""Entry point of the app: its guarded server, and the script that each visit runs.

`streamlit run` imports this file for the application that it serves, and that application runs
the same file for each visit. What pages need is imported by a visit, when the server is up.
"""

import streamlit as st

from app.doors import guard, opening

if __name__ == "__main__":
    from app.widgets import navigation

    navigation.visit()
else:
    opening.check()
    streamlit_app = st.App(__file__, middleware=guard.middleware(), lifespan=opening.announced)
