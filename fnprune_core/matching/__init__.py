"""Networks beside other networks: two atlases matched, one applied to other texts.

May import `atlas` and below.
"""
