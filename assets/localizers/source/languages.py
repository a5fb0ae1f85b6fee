"""Frames of the localizer of languages: the same sentence in French, German and English.

Slots are triples. Objects are feminine, neuter or plural in German, so that nominative and
accusative are alike.
"""

CONDITIONS = ("French", "German", "English")

TRIPLES: dict[str, list[tuple[str, str, str]]] = {
    "who": [
        ("la femme", "die Frau", "the woman"),
        ("le garçon", "der Junge", "the boy"),
        ("la fille", "das Mädchen", "the girl"),
        ("le médecin", "der Arzt", "the doctor"),
        ("la voisine", "die Nachbarin", "the neighbour"),
        ("le chien", "der Hund", "the dog"),
        ("le chat", "die Katze", "the cat"),
        ("le roi", "der König", "the king"),
        ("mon frère", "mein Bruder", "my brother"),
        ("ma mère", "meine Mutter", "my mother"),
        ("le pêcheur", "der Fischer", "the fisherman"),
        ("la reine", "die Königin", "the queen"),
    ],
    "what": [
        ("le pain", "das Brot", "the bread"),
        ("le journal", "die Zeitung", "the newspaper"),
        ("la lettre", "das Schreiben", "the letter"),
        ("les fleurs", "die Blumen", "the flowers"),
        ("le livre", "das Buch", "the book"),
        ("la lampe", "die Lampe", "the lamp"),
        ("les clés", "die Schlüssel", "the keys"),
        ("la bouteille", "die Flasche", "the bottle"),
        ("le bateau", "das Boot", "the boat"),
        ("l'horloge", "die Uhr", "the clock"),
        ("la photo", "das Foto", "the photo"),
        ("l'argent", "das Geld", "the money"),
    ],
    "where": [
        ("dans la cuisine", "in der Küche", "in the kitchen"),
        ("devant la gare", "vor dem Bahnhof", "in front of the station"),
        ("dans le jardin", "im Garten", "in the garden"),
        ("à l'école", "in der Schule", "at the school"),
        ("sur la plage", "am Strand", "on the beach"),
        ("derrière l'église", "hinter der Kirche", "behind the church"),
        ("dans la forêt", "im Wald", "in the forest"),
        ("près de la rivière", "am Fluss", "near the river"),
    ],
    "when": [
        ("hier", "gestern", "yesterday"),
        ("ce matin", "heute Morgen", "this morning"),
        ("ce soir", "heute Abend", "this evening"),
        ("en hiver", "im Winter", "in winter"),
        ("lundi", "am Montag", "on Monday"),
        ("après le repas", "nach dem Essen", "after the meal"),
    ],
    "how": [
        ("grande", "groß", "large"),
        ("vieille", "alt", "old"),
        ("belle", "schön", "beautiful"),
        ("froide", "kalt", "cold"),
        ("petite", "klein", "small"),
        ("blanche", "weiß", "white"),
    ],
}

_F = ("[|, je crois|, bien sûr]", "[|, glaube ich|, natürlich]")
_E = (
    "[|, I think|, as far as I know|, of course|, and then it was time to go home again|, and that "
    "was all that we heard about it|, or so they say|, and I was glad to see it|, but that was a "
    "long time ago and nobody minds|, because it had been a long day for all of us]"
)


def _frame(french: str, german: str, english: str) -> dict[str, str]:
    texts = (f"{french}{_F[0]}.", f"{german}{_F[1]}.", f"{english}{_E}.")
    return dict(zip(CONDITIONS, texts, strict=True))


FRAMES: list[dict[str, str]] = [
    _frame("{who} a oublié {what} {where}", "{who} hat {what} {where} vergessen", "{who} forgot {what} {where}"),
    _frame("{who} cherche {what} {where}", "{who} sucht {what} {where}", "{who} is looking for {what} {where}"),
    _frame("{when}, {who} a vu {what} {where}", "{when} sah {who} {what} {where}", "{when}, {who} saw {what} {where}"),
    _frame("{when}, {who} a trouvé {what} {where}", "{when} hat {who} {what} {where} gefunden", "{when}, {who} found {what} {where}"),
    _frame("Nous avons vendu {what} {when}", "Wir haben {what} {when} verkauft", "We sold {what} {when}"),
    _frame("Je ne sais pas où est {who}, mais {who2} est ici", "Ich weiß nicht, wo {who} ist, aber {who2} ist hier", "I do not know where {who} is, but {who2} is here"),
    _frame("{who} dort encore {where}", "{who} schläft noch {where}", "{who} is still asleep {where}"),
    _frame("La maison {where} était {how} et {how2}", "Das Haus {where} war {how} und {how2}", "The house {where} was {how} and {how2}"),
    _frame("{who} voulait acheter {what} {when}", "{who} wollte {what} {when} kaufen", "{who} wanted to buy {what} {when}"),
    _frame("Tout le monde attendait {where}, sauf {who}", "Alle warteten {where}, nur {who} nicht", "Everyone was waiting {where} except {who}"),
    _frame("La table est {how}, et {who} est {where}", "Der Tisch ist {how}, und {who} ist {where}", "The table is {how}, and {who} is {where}"),
    _frame("Il pleuvait {when}, et {who} restait {where}", "Es regnete {when}, und {who} blieb {where}", "It rained {when}, and {who} stayed {where}"),
]  # fmt: skip
