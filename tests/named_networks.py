"""Names and notes of networks that are awkward to store."""

from fnprune_core.atlas.annotation_files import Annotation, Annotations

AWKWARD = {
    0: Annotation(name="<b>French</b> & `code` $x$"),
    2: Annotation(name="=HYPERLINK(1)", note='\'-1 at night\n\n\t"quoted", and é 神 🧠'),
    5: Annotation(name="'quoted'", note="+1", tags=("@home", "two words")),
}
SPOKEN = Annotations(networks=AWKWARD, atlas_id="a1", fingerprint="model-1", n_networks=6)
