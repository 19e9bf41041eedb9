"""MRML logic of the DVHMetricsModule: dose and segmentation nodes in, DVH tables and charts out."""
