"""Columns of the tables behind pictures: their names in words, and p-values as people read them."""

import pandas as pd

from fnprune_core.probability import p_text

#: Code name → words. Others lose their underscores only.
NAMES = {
    "achieved_ratio": "share of units removed",
    "again_bootstrap": "found again over bootstraps",
    "again_seeds": "found again over seeds",
    "change": "loss change, nats per token",
    "change_error": "its standard error",
    "course_kurtosis": "kurtosis of the time course",
    "difference_error": "standard error of the difference",
    "effect_size": "Hedges' g",
    "excess": "beyond random lesions",
    "first_only": "first plan only",
    "healthy": "loss of the healthy model",
    "high": "to (95 % interval)",
    "is_dummy": "left out",
    "jaccard": "overlap (Jaccard)",
    "lesion_error": "error over lesions",
    "log_probability": "log-probability",
    "low": "from (95 % interval)",
    "magnitude_ratio": "magnitude, random ÷ lesion",
    "map_kurtosis": "kurtosis of the map",
    "p_corrected": "p, corrected",
    "q": "q (corrected p)",
    "random": "mean of random lesions",
    "random_sd": "SD of random lesions",
    "removed_fraction": "share of parameters removed",
    "reproducibility": "split-half r",
    "reproducibility_sd": "SD of split-half r over splits",
    "run_agreement": "agreement of runs",
    "second_only": "second plan only",
    "std": "SD",
    "text_error": "error over texts",
    "top_domain": "first domain",
    "top_domain_share": "share in its first domain",
    "variance_alone": "variance alone",
    "variance_left_out": "variance lost when left out",
}
_P_VALUES = ("p", "q", "p_corrected")


def name(column: str) -> str:
    """Return a column's name in words."""
    return NAMES.get(column, column.replace("_", " "))


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as people read it: columns named in words, p and q as `p_text` gives them."""
    texts = {column: table[column].map(p_text) for column in _P_VALUES if column in table}
    return table.assign(**texts).rename(columns=lambda column: name(str(column)))
