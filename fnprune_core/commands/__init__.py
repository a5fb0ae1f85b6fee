"""Commands of the command line, each a thin face over a workflow.

Modules that load torch are imported inside the commands that need them, so that help and
mistakes in the options are told at once.
"""
