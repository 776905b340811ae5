"""Measurements of Atoll beside its peers: ``make bench``. Prints ratios, never a verdict."""
