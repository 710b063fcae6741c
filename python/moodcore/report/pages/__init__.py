"""What pages contain: one module per kind of run."""
