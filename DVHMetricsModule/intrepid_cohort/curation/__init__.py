"""One treatment per patient from many plans: rules, decisions that are logged and taken back, sums of doses, checks."""
