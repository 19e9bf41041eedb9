"""Where the loops of the physics run: on the threads of the CPU or, from the same source, on a CUDA device."""
