"""Refinement of the physics dose by a small 3D network, beam by beam, with an uncertainty per voxel."""
