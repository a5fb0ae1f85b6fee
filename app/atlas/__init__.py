"""Pages on the networks of a recording, one folder each.

Pages may import this folder's own modules and what lies under the sections, never one another.
"""
