"""An atlas as NIfTI images: its grid of voxels, the files, and images that come back.

May import what `atlas` may.
"""
