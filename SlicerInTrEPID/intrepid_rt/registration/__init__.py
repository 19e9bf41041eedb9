"""Where points of the planning CT lie in another image of the patient: rigid and deformable registration."""
