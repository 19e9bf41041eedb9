"""Portal images of all vendors to one form: signal that grows with dose, on a known lattice, with its defects."""

from intrepid_epid.portal_reader.frame import PortalFrame, read_portal_image

__all__ = ["PortalFrame", "read_portal_image"]
