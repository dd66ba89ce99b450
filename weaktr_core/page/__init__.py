"""The CAM network inside a web page: packed by Python, run by the reader's browser."""
