"""One generation after another: ask, sort, train, reward, remember, tell."""
