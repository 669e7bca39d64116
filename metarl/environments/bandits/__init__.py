"""Bernoulli and Gaussian arms, and what is best where their means are unknown."""
