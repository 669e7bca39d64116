"""Whole trials, each from a fresh hidden state, imitation and reinforcement, as a job that resumes."""
