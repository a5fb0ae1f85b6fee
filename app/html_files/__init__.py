"""Self-contained HTML files: templates filled with facts and images.

Knows figures and the core, no streamlit.
"""
