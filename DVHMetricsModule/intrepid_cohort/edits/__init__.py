"""Changes that people make: logged with who, when, old and new, and taken back."""
