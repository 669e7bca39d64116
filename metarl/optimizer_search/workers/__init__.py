"""Judging on the workers of a Ray cluster, to the same bits."""
