"""Names of structures: what a clinic writes, read as a name after TG-263, with a confidence, or not at all."""
