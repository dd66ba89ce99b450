"""The paper: grid, attention, fusion, CAMs, losses, decoder; no weights, no files."""
