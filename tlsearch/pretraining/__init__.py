"""Pretraining a backbone: on drawn patterns or labelled photos, or by contrast without labels."""
