"""The gamma index as a minimum over the interpolated dose, not over samples of it."""
