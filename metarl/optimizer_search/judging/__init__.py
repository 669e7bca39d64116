"""What a rule is worth: the compiled program, its judges, their rewards, and who runs it."""
