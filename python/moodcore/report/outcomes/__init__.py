"""What runs found, in sentences and numbers: one module per kind of run."""
