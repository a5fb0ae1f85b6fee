"""Who may enter and what they may reach: token, names, cookies, uploads, roots of paths, limits.

Below everything else of the app but its list of pages; knows Streamlit's server, none of its
widgets.
"""
