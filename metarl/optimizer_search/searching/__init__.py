"""One generation after another: ask, sort (filter, drop repeats), train, reward, remember, tell."""
