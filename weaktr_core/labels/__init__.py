"""Maps → masks: views, windows, CRF, recipe, files. Never sees the truth."""
