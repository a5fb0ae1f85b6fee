"""The browser app over `fnprune_core`: the only package that knows streamlit and plotly."""
