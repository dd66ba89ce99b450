"""The commands of ``python -m weaktr_core``, a file each."""
