"""Whole trials, imitation and reinforcement, over devices, as a job that resumes."""
