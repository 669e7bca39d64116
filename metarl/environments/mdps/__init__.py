"""MDPs by table, gridworlds, and their solution by dynamic programming."""
