"""Language models: loading, structure, hooks, silencing.

May import `texts` and below; every difference between families is a row of `architectures`.
"""
