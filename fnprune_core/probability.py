"""A p-value or a q-value in words, the same everywhere that people read one."""

LEAST_SHOWN = 0.001


def p_text(p: float) -> str:
    """Return a p-value or q-value as people read it: two digits, and below .001 only that."""
    return "" if p != p else "< .001" if p < LEAST_SHOWN else f"{p:.2g}"
