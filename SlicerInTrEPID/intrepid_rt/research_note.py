"""What is said wherever a result is shown."""

RESEARCH_NOTE = "Research software, not cleared for clinical decisions."
