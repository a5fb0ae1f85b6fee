"""The preview of a plan, which follows each choice."""
