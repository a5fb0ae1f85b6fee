"""Widgets that several pages place: frame, gallery, readers, downloads.

May import `shell` and below; knows no page.
"""
