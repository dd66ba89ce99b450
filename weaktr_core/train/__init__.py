"""A loop that knows no model, steps that know no loop, runs on disk."""
