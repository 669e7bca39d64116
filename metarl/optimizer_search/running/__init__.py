"""From settings to a result on disk: a search, a comparison; what they will cost."""
