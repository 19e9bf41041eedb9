"""MRML side of InTrEPID: records in, nodes out. Needs ``slicer``; nothing but ``panel`` needs Qt."""
