"""Both ways: families as gymnasium environments, and gymnasium worlds in trials."""
