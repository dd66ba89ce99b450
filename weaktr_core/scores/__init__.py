"""Scores against tags and masks: the only reader of the truth."""
