"""MRML logic of the GammaModule: volume nodes in, gamma volume and statistics nodes out."""
