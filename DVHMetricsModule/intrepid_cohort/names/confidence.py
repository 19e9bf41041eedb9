"""From the score of the matching to the probability that the answer is right."""

import numpy as np

CONFIDENT = 0.9

# Measured on 2,300 names made from half of the lexicon: as it is, with a slip of the pen, cut short, and with a further
# word. Scores from 0.92 on were right in 98.4 to 100 % of a bin, those from 0.55 to 0.6 in half or less; the values
# here lie below what was measured, because real names are worse than made ones.
_SCORE = (0.0, 0.55, 0.6, 0.85, 0.905, 0.92, 1.0)
_PROBABILITY = (0.0, 0.05, 0.5, 0.6, 0.8, 0.95, 0.99)


def probability(score: float) -> float:
    """Return the calibrated probability of a score.

    >>> round(probability(0.95), 3), round(probability(0.5), 3)
    (0.965, 0.045)
    """
    return float(np.interp(score, _SCORE, _PROBABILITY))
