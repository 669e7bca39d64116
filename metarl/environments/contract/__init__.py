"""Environment, trial, agent, how they see each other, and what is checked."""
