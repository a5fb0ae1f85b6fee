"""Networks silenced and compared with matched random lesions.

May import `pruning` and below.
"""
