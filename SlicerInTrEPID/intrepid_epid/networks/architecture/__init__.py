"""The networks themselves: the only files that import torch when they are imported."""
