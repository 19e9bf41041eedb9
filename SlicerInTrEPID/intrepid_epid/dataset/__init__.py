"""A folder of pairs, signal and portal dose on one grid: what a network learns from and is judged with."""
