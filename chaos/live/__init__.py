"""Faults on real processes: applied through proxies, signals and the regions' own controls, and proved by probing."""
