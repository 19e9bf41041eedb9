"""What needs Qt or Slicer's scripted modules."""
