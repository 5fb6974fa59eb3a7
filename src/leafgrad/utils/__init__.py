"""Tools around training: hooks, checkpointing, data loading."""
