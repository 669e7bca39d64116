"""Worlds of other JAX libraries as families: gymnax, navix, XLand-MiniGrid, brax."""
