"""Checks of the imager as a dosimeter, in the manner of AAPM TG-307: for commissioning and for constancy afterwards."""
