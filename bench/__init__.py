"""Measures Parley against what it has to reach, side by side in one run, as ratios."""
