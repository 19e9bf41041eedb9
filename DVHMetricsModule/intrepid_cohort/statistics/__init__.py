"""Statistics of a cohort: by statsmodels, SciPy and scikit-learn, on the rows of queries."""
