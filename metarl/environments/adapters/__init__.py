"""Worlds of other JAX libraries as families: gymnax."""
