"""Chapters on networks: why ICA, a map, the atlas, decoding."""

from app.learn.lesson import sources
from app.learn.lesson.kinds import Answer, Chapter, Question

ICA = Chapter(
    slug="ica",
    title="Why ICA",
    icon="call_split",
    idea="Many networks are mixed in every signal. ICA takes them apart, without being told what "
    "to look for.",
    reading="""
At a party, two microphones each record a mixture of two voices. **Independent component
analysis** finds the voices from the mixtures alone, because a mixture looks more like a bell
curve than its parts do. In a brain, networks are the voices and scans the mixtures.

Principal components (**PCA**) are found without labels, too. They take the direction of most
variance first, then the next *at a right angle to it*. Real networks need not stand at right
angles.

Below, five known networks are planted in a simulated brain: they sit where five real networks
sit, each is active in its own time, blood answers late, and noise is added. Then `GroupICA`, the
very code that finds the model's networks, gets the noisy signals.
""",
    predict=Question(
        prompt="With little noise and 4 people: which gives back the five planted networks better?",
        answers=(
            Answer(
                key="ica",
                text="ICA",
                why="ICA looks for maps that are as far from a bell curve as possible, which a "
                "single network is and a mixture is not.",
            ),
            Answer(
                key="pca",
                text="PCA",
                why="PCA finds the same space, but in it directions of largest variance at right "
                "angles: mixtures of networks.",
            ),
            Answer(
                key="neither",
                text="Neither can, without labels",
                why="No label is needed: that networks are sparse and independent is enough.",
            ),
        ),
        right="ica",
    ),
    task="""
First row: what was planted. Below: what was found, with its |r| to the truth. Raise the noise
until ICA fails. Then add people. How much noise do 16 people buy?
""",
    check=Question(
        prompt="ICA says “component 7”. Who says that it is the auditory network?",
        answers=(
            Answer(
                key="person",
                text="A person or a further analysis, after the fact",
                why="ICA returns maps without names, in no order, and with either sign. Names come "
                "from looking at them.",
            ),
            Answer(
                key="ica",
                text="ICA itself",
                why="ICA knows no names: it never saw a label.",
            ),
            Answer(
                key="number",
                text="Its number: component 7 is always the auditory one",
                why="The order is arbitrary. Another start or another group may number them anew.",
            ),
        ),
        right="person",
    ),
    limits="**Holds:** the same algorithm, unchanged, on both. **Fails:** the simulation is told "
    "how many networks there are. For a brain or a model nobody knows that number.",
    terms=("ica", "group_ica", "component", "subject", "stability"),
    sources=(
        sources.MCKEOWN,
        sources.CALHOUN,
        sources.HYVARINEN,
        sources.SEITZMAN,
        sources.MNI,
        sources.GLOVER,
    ),
    pages=(
        ("recording/decompose_page.py", "Decompose a recording"),
        ("atlas/reliability/page.py", "How sure it is"),
    ),
    needs="",
    minutes=6,
    teach="Set noise to 2 and go from 1 person to 16 in front of the class. Ask before each step "
    "which network comes out next (the auditory one, the smallest, is last).",
)

MAP = Chapter(
    slug="map",
    title="A network and its map",
    icon="layers",
    idea="A map gives every unit a z. A few stand out far more than a bell curve would let them.",
    reading="""
A network's **map** holds one number for each unit: how strongly it takes part. We write it as
**z**: 0 is the average unit, 1 is one standard deviation above it. To draw a map, one chooses a
threshold and colours what is beyond it.

If the z of a map followed a bell curve (a Gaussian), 0.27 % of the units would lie beyond ±3.
""",
    predict=Question(
        prompt="How many units of a network lie beyond |z| = 3?",
        answers=(
            Answer(
                key="fewer",
                text="Fewer than the bell curve says",
                why="ICA looks for maps with a sharp middle and long tails, so more units are far "
                "out, not fewer.",
            ),
            Answer(
                key="same",
                text="About as many as it says",
                why="A map like a bell curve is what a mixture or plain noise looks like, and what "
                "ICA avoids.",
            ),
            Answer(
                key="more",
                text="Several times as many",
                why="Long tails are the mark of a network: most units do nothing in it, a few do "
                "much.",
            ),
        ),
        right="more",
    ),
    task="""
Move the threshold and compare the network of the model with a real map, drawn by the same rule:
left against right hand, pressing a button. Choose another network.
""",
    check=Question(
        prompt="A unit has z = 5 in a network's map. What does that mean?",
        answers=(
            Answer(
                key="stands-out",
                text="It stands out from the other units of this map by five standard deviations",
                why="z is over the units of one map. It ranks units, and says nothing of chance.",
            ),
            Answer(
                key="p",
                text="That the result is due to chance is very unlikely (p < 0.001)",
                why="For the motor map that is the idea: its z comes from a test. For a map of ICA "
                "it is only a score.",
            ),
            Answer(
                key="times",
                text="It is five times as active as the average unit",
                why="z counts standard deviations of the map, not activity.",
            ),
        ),
        right="stands-out",
    ),
    limits="**Holds:** both are maps, thresholded and coloured. **Fails:** z of the motor map "
    "comes from a statistical test; z of a network does not. The same threshold does not mean the "
    "same thing.",
    terms=("map", "threshold", "z", "fdr"),
    sources=(sources.NEUROVAULT, sources.MNI),
    pages=(("atlas/networks/page.py", "Look at all networks"),),
    needs="atlas",
    minutes=4,
    teach="Ask for the threshold at which the map is “right”. There is none: it is a view, and "
    "should be stated.",
)

ATLAS = Chapter(
    slug="atlas",
    title="The atlas",
    icon="map",
    idea="An atlas gives each place its network. In the model many units serve several.",
    reading="""
At rest, without any task, much the same networks appear in person after person: default mode,
visual, motor and others. An **atlas** collects them. Below are the centres of 300 regions of such
an atlas on a glass brain, each coloured by the one network it was given.

The model's atlas is its set of networks. To colour each unit once, we give it the network in
which it is strongest: a **parcellation**.
""",
    predict=Question(
        prompt="Take the model's units that are in any network at all (|z| above 3). How many of "
        "them are in two networks or more?",
        answers=(
            Answer(
                key="none",
                text="Almost none: under 5 %",
                why="A parcellation looks as if it were so, since it draws one colour a unit. The "
                "maps themselves overlap.",
            ),
            Answer(
                key="some",
                text="A good part: 5 % to 60 %",
                why="Units are shared. One colour a unit hides that.",
            ),
            Answer(
                key="most",
                text="Most: over 60 %",
                why="Sharing is common, but being in one network only is still more common.",
            ),
        ),
        right="some",
    ),
    task="""
Light up networks of the brain. Then raise and lower the threshold for the model and watch how
many units belong to none, to one, and to several.
""",
    check=Question(
        prompt="What is lost when an overlapping set of networks is drawn as a parcellation?",
        answers=(
            Answer(
                key="others",
                text="Every unit's second and third network",
                why="The strongest takes all. A unit at z = 5.1 and 5.0 looks like one that has "
                "5.1 and 0.",
            ),
            Answer(
                key="layers",
                text="The layer of each unit",
                why="The layer stays; only memberships are cut down to one.",
            ),
            Answer(
                key="nothing",
                text="Nothing: each unit has one network anyway",
                why="Many units pass the threshold in several maps, as you have just counted.",
            ),
        ),
        right="others",
    ),
    limits="**Holds:** both are sets of networks that others can reuse. **Fails:** a brain atlas "
    "is drawn over people, and holds for the next one. This atlas is of one model; another model "
    "has another.",
    terms=("atlas", "parcellation", "glass_brain"),
    sources=(sources.SEITZMAN, sources.DAMOISEAUX, sources.MNI),
    pages=(
        ("atlas/parcellation/page.py", "The whole model in colours"),
        ("atlas/compare/page.py", "Compare two atlases"),
    ),
    needs="atlas",
    minutes=4,
    teach="15 of the 300 regions are in no network (“unassigned”); the picture leaves them out. "
    "Ask why an atlas would rather say that than choose.",
)

DECODING = Chapter(
    slug="decoding",
    title="Decoding",
    icon="key",
    idea="To name a network, look at what drives it, and ask how often else that happens.",
    reading="""
A map has no name on it. **Functional decoding** asks what makes a network active: which kind of
text, which words, which token comes next. Databases of thousands of brain studies are used in the
same way.

It tempts to the reverse: *this network is active, so the model must be doing French*. That holds
only if the network is rarely active otherwise.
""",
    predict=Question(
        prompt="ICA never saw the labels of the texts. How many networks put over half of their "
        "energy into one of the kinds of text?",
        answers=(
            Answer(
                key="none",
                text="None or hardly any (under 5 %)",
                why="No label was given, but kinds of text differ in what they need, and units "
                "follow that.",
            ),
            Answer(
                key="many",
                text="A good number (5 % to 95 %)",
                why="Many follow one kind of text; others follow punctuation, numbers or words "
                "that are in all of them.",
            ),
            Answer(
                key="all",
                text="All or almost all (over 95 %)",
                why="Some networks serve every text: commas, line breaks and numbers are "
                "everywhere.",
            ),
        ),
        right="many",
    ),
    task="""
Guess the network: here are words on which one network is strongest. Which kind of text drives it
most? Guess a few.
""",
    check=Question(
        prompt="A network is active in 9 of 10 French tokens, and in 5 of 10 of all others. It is "
        "active now, and one token in five is French. How likely is this token French?",
        answers=(
            Answer(
                key="ninety",
                text="About 90 %",
                why="That is the chance of activity given French. Asked is the chance of French "
                "given activity.",
            ),
            Answer(
                key="third",
                text="About 31 %",
                why="Of 100 tokens, 18 are French and active, 40 others are active: 18 of 58.",
            ),
            Answer(
                key="fifth",
                text="20 %, as before",
                why="Activity tells something: it is more common in French, so the chance rises.",
            ),
        ),
        right="third",
    ),
    limits="**Holds:** the same question and the same fallacy. **Fails:** we can run every text "
    "through the model again, and silence the network to see whether it is needed.",
    terms=("decoding", "domain", "reverse_inference"),
    sources=(sources.POLDRACK, sources.BENJAMINI),
    pages=(
        ("atlas/networks/page.py", "What drives each network"),
        ("atlas/probe/page.py", "Try a text"),
    ),
    needs="atlas",
    minutes=5,
    teach="The arithmetic of the check is Bayes' rule. Let them do it with 100 tokens on paper.",
)
