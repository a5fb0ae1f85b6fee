"""Chapters on what is measured: signal, unit, time course."""

from app.learn.lesson import sources
from app.learn.lesson.kinds import Answer, Chapter, Question

SIGNAL = Chapter(
    slug="signal",
    title="What fMRI measures, and what we record",
    icon="monitor_heart",
    idea="A scanner sees blood, seconds late. We read the neuron itself, at once.",
    reading="""
When neurons work, blood that carries oxygen flows to them, and a little more than they use. Blood
with oxygen disturbs a magnetic field less than blood without. That is what an MRI scanner sees:
the **BOLD** signal (blood oxygen level dependent). It is indirect: nobody sees a neuron.

A language model has no blood. While it reads, we store the number with which each neuron enters
the next step, at every token (a word or a piece of one). That number *is* what the neuron does.
""",
    predict=Question(
        prompt="A light flashes for an instant. When is the BOLD signal in visual cortex highest?",
        answers=(
            Answer(
                key="once",
                text="At once, within a tenth of a second",
                why="Neurons answer that fast, but blood does not: it takes seconds to flow in.",
            ),
            Answer(
                key="seconds",
                text="About 5 seconds later",
                why="Blood takes about 5 seconds to peak, dips below its level for a while, and is "
                "back after 20 to 30 seconds.",
            ),
            Answer(
                key="minute",
                text="About a minute later",
                why="By then it is long over: the whole answer of blood takes about half a minute.",
            ),
        ),
        right="seconds",
    ),
    task="""
Move the second flash nearer to the first, and the scans further apart. On the right is the model:
how active one network is around a word it responds to, averaged over all places where that word
stands. Try another word.
""",
    check=Question(
        prompt="Two flashes follow each other by 2 seconds. What does a single voxel's BOLD show?",
        answers=(
            Answer(
                key="two",
                text="Two separate peaks, 2 seconds apart",
                why="Each answer is about 5 seconds wide, so two that are 2 seconds apart melt "
                "into one.",
            ),
            Answer(
                key="one",
                text="One broader, higher hump",
                why="The answers add up. That is why experiments use long blocks, or vary the gaps "
                "and fit a model of the response.",
            ),
            Answer(
                key="none",
                text="Nothing: they cancel each other out",
                why="To a good approximation the answers add; they do not cancel.",
            ),
        ),
        right="one",
    ),
    limits="**Holds:** both are many signals over time. **Fails:** BOLD is slow, noisy and "
    "indirect, one value in about 1 to 2 seconds; an activation is exact, one value a token, and a "
    "token has no duration.",
    terms=("bold", "scan", "haemodynamics", "dummy"),
    sources=(sources.OGAWA, sources.GLOVER, sources.LOGOTHETIS),
    pages=(("atlas/carpet/page.py", "See the recorded signals"),),
    needs="atlas",
    minutes=4,
    teach="Ask what the delay means for reading speed: in 5 seconds a person reads some 20 words. "
    "Whose answer is the signal at one moment, then?",
)

UNITS = Chapter(
    slug="units",
    title="Voxel and unit",
    icon="grid_view",
    idea="A voxel is a place, and its neighbours are like it. A neuron's number says nothing.",
    reading="""
A **voxel** is a cube of brain, commonly 2 to 3 mm wide. It holds hundreds of thousands of neurons
or more, and its signal is their sum. Next to it is more of the same tissue, fed by the same
vessels.

Our **unit** is one neuron of an MLP (the part of each layer that is not attention). Units carry a
layer and a number. The number is only a row in a table of weights: swap two neurons together with
their weights, and the model computes exactly the same.
""",
    predict=Question(
        prompt="How alike are two neighbours, on average, in a map of the brain, and in a map of "
        "the model by number?",
        answers=(
            Answer(
                key="both",
                text="Neighbours are alike in both",
                why="In the brain, yes. In the model a number is no place: training never made "
                "neurons with close numbers alike.",
            ),
            Answer(
                key="brain",
                text="Alike in the brain; in the model no more than any two neurons",
                why="Brain tissue is continuous, and the images are smooth. Numbers of neurons are "
                "arbitrary.",
            ),
            Answer(
                key="neither",
                text="Alike in neither",
                why="Neighbouring voxels share tissue, vessels and smoothing: they correlate "
                "strongly.",
            ),
        ),
        right="brain",
    ),
    task="""
The lines show how well a place's value predicts the value some steps further on. Choose other
networks: does any have neighbours by number? The *cortex* of this app is a third line: here units
were **put** next to those that they work with.
""",
    check=Question(
        prompt="In this app a network is a blob in the cortex of the model. What does that show?",
        answers=(
            Answer(
                key="layout",
                text="That the layout put its units side by side",
                why="Places were computed from the networks. A blob shows that this worked, "
                "nothing more.",
            ),
            Answer(
                key="local",
                text="That the network is local in the model",
                why="That would be circular: the places were made from the networks. Only the "
                "layer is a real coordinate.",
            ),
            Answer(
                key="blood",
                text="That neighbouring units share a supply, as in the brain",
                why="Nothing is supplied in a model, and units have no neighbours of their own.",
            ),
        ),
        right="layout",
    ),
    limits="**Holds:** both are the smallest thing recorded, tens of thousands at once. "
    "**Fails:** a voxel is a crowd with neighbours; a unit is one neuron without any. Only layers "
    "are in order.",
    terms=("voxel", "slice", "mask", "cortex"),
    sources=(sources.LOGOTHETIS, sources.NEUROVAULT),
    pages=(
        ("atlas/unit/page.py", "Look at one unit"),
        ("atlas/scanner/page.py", "Both by nilearn"),
    ),
    needs="atlas",
    minutes=4,
    teach="The maps of the motor task were smoothed when they were made; part of the likeness is "
    "that. Ask what would be left without, and how to find out.",
)

TIME = Chapter(
    slug="time",
    title="Time courses",
    icon="show_chart",
    idea="A network has a strength at every token: it rises and falls within a text.",
    reading="""
A map says *where* a network is. Its **time course** says *when*: how strongly the whole map is
present at each scan, or here at each token. It is found by fitting all maps to the signals
together.

In fMRI a time course drifts up and down over many seconds, because blood is slow. Here nothing
slows it down.
""",
    predict=Question(
        prompt="Think of a network that follows the language or topic of a text. Where is most of "
        "its variation, for a typical network?",
        answers=(
            Answer(
                key="between",
                text="Between texts: on for some, off for others",
                why="Some networks do switch with the text, but for a typical one that is the "
                "smaller part.",
            ),
            Answer(
                key="within",
                text="Within texts: up and down from token to token",
                why="Even a network of one language responds to some of its tokens and not to the "
                "next.",
            ),
            Answer(
                key="start",
                text="At the start of texts, then it stays level",
                why="The first tokens are odd indeed, and left out of statistics. The rest is "
                "anything but level.",
            ),
        ),
        right="within",
    ),
    task="""
Look at the time course of a network in a text, and at the same text coloured by it. Change the
network and the text. Can you say what it responds to?
""",
    check=Question(
        prompt="Two time courses correlate at r = 0.6. What may you conclude?",
        answers=(
            Answer(
                key="together",
                text="The two networks tend to be active at the same tokens",
                why="That, and no more. In both fields it is called functional connectivity.",
            ),
            Answer(
                key="wire",
                text="One network sends its output to the other",
                why="Correlation has no direction. A third cause, such as the language of the "
                "text, can drive both.",
            ),
            Answer(
                key="same",
                text="Their maps hold the same units",
                why="Two sets without a common unit can be active together.",
            ),
        ),
        right="together",
    ),
    limits="**Holds:** the same least-squares fit gives both. **Fails:** tokens carry no seconds, "
    "so there is no frequency in Hz, and no haemodynamic response to model.",
    terms=("time_course", "run", "fnc", "dual_regression"),
    sources=(sources.CALHOUN,),
    pages=(("atlas/connectome/page.py", "Which networks go together"),),
    needs="atlas",
    minutes=4,
    teach="Let someone read the coloured text aloud and stop at each strong token. Guess the rule "
    "first, look at the strongest words after.",
)
