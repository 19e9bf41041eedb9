"""EPID images to portal dose to dose in the patient."""
