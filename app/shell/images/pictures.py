"""What each address draws: bytes of one image, with the caches of its own module."""

from app.shell.images import brain, files, live, stills, thumbnails
from app.shell.images.addresses import version
from app.shell.images.asked import Asked


def anatomy(asked: Asked) -> bytes:
    """Return an atlas's grey body."""
    return files.anatomy_file(asked.id, version(asked.id), asked.grey or files.ACTIVITY)


def units(asked: Asked) -> bytes:
    """Return the unit of each voxel."""
    return files.units_file(asked.id, version(asked.id))


def live_body(asked: Asked) -> bytes:
    """Return an atlas's body for the live scanner."""
    return live.body_file(asked.id, version(asked.id))


def network_map(asked: Asked) -> bytes:
    """Return a network's map."""
    return files.map_file(asked.id, asked.network, version(asked.id))


def network_still(asked: Asked) -> bytes:
    """Return a picture of a network's map, where a browser cannot draw it."""
    return stills.network(
        asked.id, asked.network, version(asked.id), z=asked.z, limit=asked.high, pole=asked.pole
    )


def thumbnail(asked: Asked) -> bytes:
    """Return a small picture of a network's map."""
    return thumbnails.thumbnail(asked.id, asked.network, version(asked.id), z=asked.z)


def several_still(asked: Asked) -> bytes:
    """Return a picture of a few networks, each in its own colour."""
    return stills.several(asked.id, asked.networks, version(asked.id), z=asked.z)


def rendering(asked: Asked) -> bytes:
    """Return a few networks as the viewer renders them."""
    return stills.rendering(
        asked.id, asked.networks, version(asked.id), z=asked.z, solid=asked.solid
    )


def parcels(asked: Asked) -> bytes:
    """Return a part of the parcellation."""
    return files.parcel_file(
        asked.id, asked.fwhm, asked.part, version(asked.id), members=asked.members
    )


def parcels_still(asked: Asked) -> bytes:
    """Return a picture of the parcellation."""
    return stills.parcels(asked.id, version(asked.id), z=asked.z, members=asked.members)


def contrast(asked: Asked) -> bytes:
    """Return a localizer's contrast."""
    return files.contrast_file(asked.id, asked.localizer, version(asked.id))


def contrast_still(asked: Asked) -> bytes:
    """Return a picture of a localizer's contrast."""
    return stills.contrast(
        asked.id, asked.localizer, version(asked.id), z=asked.z, limit=asked.high
    )


def brain_anatomy(asked: Asked) -> bytes:
    """Return the template of the human head."""
    return brain.anatomy_file()


def motor(asked: Asked) -> bytes:
    """Return the map of the motor task."""
    return brain.motor_file()


def motor_still(asked: Asked) -> bytes:
    """Return a picture of the motor map."""
    return brain.motor_still(z=asked.z, limit=asked.high)
