"""GGUF files for llama.cpp: written from a pruned model, read back, and run by llama.cpp itself.

May import `pruning` and below.
"""
