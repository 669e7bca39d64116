"""The settings of a search and of a comparison, as frozen dataclasses; nothing here imports jax."""
