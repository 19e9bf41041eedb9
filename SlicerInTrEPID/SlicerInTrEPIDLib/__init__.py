"""MRML logic of the SlicerInTrEPID module: nodes in, nodes out."""
