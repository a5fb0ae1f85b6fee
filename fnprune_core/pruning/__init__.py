"""From a plan to a smaller model: planning, compensation, slicing, previews, searches.

May import `evaluation` and below.
"""
