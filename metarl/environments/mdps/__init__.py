"""MDPs by table, gridworlds, dark rooms, grids of rules, and how tables are solved."""
