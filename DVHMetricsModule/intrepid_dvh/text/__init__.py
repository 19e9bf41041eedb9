"""Reading the dose-volume text files of planning systems."""
