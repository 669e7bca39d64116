"""Settings of a training, as frozen dataclasses; nothing here imports jax."""
