"""Networks of both steps, their pretrained weights and their files; no data sets."""
