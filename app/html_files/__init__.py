"""Self-contained HTML files: templates filled with facts and images.

Knows figures, the viewer's scene and the core, no streamlit.
"""
