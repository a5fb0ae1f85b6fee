"""The ground of all pages: the view and its URL, jobs, shared resources.

May import `html`, `figures` and the core; `resources` and `caches` alone cache.
"""
