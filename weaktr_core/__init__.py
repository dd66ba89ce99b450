"""WeakTr, step by step: pixel masks from image tags with plain Vision Transformers."""
