"""Tasks of psychology and neuroscience: the two-step task, Harlow's, memory and planning."""
