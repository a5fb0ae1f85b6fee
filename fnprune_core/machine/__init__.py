"""How work uses the machine: its threads and its memory, and workers on others."""
