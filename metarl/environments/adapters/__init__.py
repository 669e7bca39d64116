"""Worlds of other libraries as families: gymnasium, MuJoCo, gymnax, navix, XLand-MiniGrid, brax."""
