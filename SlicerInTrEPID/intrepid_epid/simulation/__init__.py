"""Photon and electron physics: materials, a small Monte Carlo, and the tables made with it."""
