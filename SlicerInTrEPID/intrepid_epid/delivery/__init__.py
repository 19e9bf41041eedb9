"""How a beam was delivered: its image frames, what belongs to which control point, and the dose of an arc."""
