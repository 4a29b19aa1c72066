"""Renditions of photos: policies, drawing and sampling them, and mixing batches."""
