"""What of a map and of a name would come by chance: thresholds, domains on other documents.

Imports the atlas, recordings and storage; nothing of it is needed to read an atlas.
"""
