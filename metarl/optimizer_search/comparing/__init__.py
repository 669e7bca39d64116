"""Equal tuning for everybody, fresh seeds, and what the differences amount to."""
