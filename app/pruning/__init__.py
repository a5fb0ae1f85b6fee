"""Pages on plans: the lab, plans compared, generations, export.

Pages may import this folder's own modules and what lies under the sections, never one another.
"""
