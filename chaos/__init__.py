"""Breaks Atoll on purpose, and proves that it held; see ``chaos/DESIGN.md``."""
