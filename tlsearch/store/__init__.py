"""Activations on disk: what a frozen prefix makes of photos, computed once for all trials."""
