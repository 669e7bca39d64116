"""MDPs by table, gridworlds, dark rooms, and how tables are solved."""
