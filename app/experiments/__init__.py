"""Pages that experiment on the model.

Pages never import one another.
"""
