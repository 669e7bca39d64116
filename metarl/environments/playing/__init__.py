"""An agent in trials: compiled over many tasks, or on the host."""
