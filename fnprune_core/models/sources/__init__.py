"""Where models come from: hub ids, folders, GGUF files; what is refused before a weight is read.

May import `texts` and below; knows no model in memory.
"""
