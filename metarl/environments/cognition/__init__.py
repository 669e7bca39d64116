"""Tasks of psychology and neuroscience: the two-step task, and Harlow's."""
