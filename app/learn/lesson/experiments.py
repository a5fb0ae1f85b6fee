"""Chapters on experiments: localizers, lesions, pruning, and where the analogy breaks."""

from app.learn.lesson import sources
from app.learn.lesson.kinds import Answer, Chapter, Question

LOCALIZERS = Chapter(
    slug="localizers",
    title="Localizers",
    icon="ads_click",
    idea="A contrast is only as good as its unit: documents are observations, tokens are not.",
    reading="""
A **localizer** is a short experiment that finds the places which respond more to one condition
than to another: sentences against lists of non-words finds the language network in most people
within minutes.

Here two kinds of text are the conditions, and every network is tested. Each text gives thousands
of tokens. But tokens of one text are alike, as the scans of one person are. Who counts each of
them as an observation has far fewer than it seems.
""",
    predict=Question(
        prompt="We deal the documents to two conditions **at random**: nothing can be true. Each "
        "network is tested at p < 0.05, with every token as an observation. How many come out "
        "“significant”?",
        answers=(
            Answer(
                key="five",
                text="About 5 %, as p < 0.05 promises",
                why="It would be, if tokens were independent. They are not, so the test believes "
                "in far more data than there are.",
            ),
            Answer(
                key="most",
                text="Far more: over a quarter of them",
                why="Tokens of one document are alike, so any two groups of documents differ a "
                "little, and thousands of tokens make that “certain”.",
            ),
            Answer(
                key="zero",
                text="None: nothing is true, so nothing is found",
                why="Even a right test has false alarms: p < 0.05 allows one in twenty.",
            ),
        ),
        right="most",
    ),
    task="""
Choose two kinds of text and see the contrast of every network. Then shuffle: documents are dealt
to the two conditions at random. Shuffle several times and watch both counts.
""",
    check=Question(
        prompt="You test 64 networks at p < 0.05, rightly. Nothing is true. What do you expect?",
        answers=(
            Answer(
                key="three",
                text="About 3 false alarms, unless you correct for many tests",
                why="64 × 0.05 = 3.2. Correcting for the false discovery rate is what keeps them "
                "out of a paper.",
            ),
            Answer(
                key="none",
                text="No false alarm: each test holds its 5 %",
                why="Each does, and 64 chances of one in twenty make about three.",
            ),
            Answer(
                key="half",
                text="About half of them significant",
                why="That happens with the wrong unit of observation, not with the right one.",
            ),
        ),
        right="three",
    ),
    limits="**Holds:** conditions, contrast, correction, and the same errors. **Fails:** no blood, "
    "so no haemodynamic response in the design. And the “people” are texts: the result holds for "
    "other texts and this one model.",
    terms=("localizer", "contrast", "design", "unit_of_resampling", "fdr"),
    sources=(sources.FEDORENKO, sources.HURLBERT, sources.BENNETT, sources.BENJAMINI),
    pages=(("experiments/localizers/page.py", "Run a localizer"),),
    needs="atlas",
    minutes=5,
    teach="This is the chapter to take home for any data. Ask for examples from their own field: "
    "cells of one animal, trials of one person, pupils of one class.",
)

LESIONS = Chapter(
    slug="lesions",
    title="Lesions",
    icon="healing",
    idea="That a network is active shows what goes with what. Silencing it shows what is needed.",
    reading="""
In 1861 Paul Broca described a man who could say little but “tan”, and after his death found
damage in his left frontal lobe. Since then lesions have told what a region is *needed* for, which
activity alone cannot.

In a model we can make a lesion: the units of one network are set to zero while the model reads
on, then they are back, unharmed. As a control we silence as many units at random, in the same
layers.
""",
    predict=Question(
        prompt="We silence the network that follows French most. Which text suffers most? (We look "
        "at how much worse the model predicts the next token.)",
        answers=(
            Answer(
                key="own",
                text="French, clearly more than other texts",
                why="Here the network that follows a kind of text is also needed for it. Not every "
                "network that is active is.",
            ),
            Answer(
                key="all",
                text="All texts about alike",
                why="That is rather what random lesions do.",
            ),
            Answer(
                key="none",
                text="None: 700 of 46,000 units are too few to matter",
                why="1.5 % of the units, if they are the right ones, do a lot.",
            ),
        ),
        right="own",
    ),
    task="""
Choose a network and make the lesion. The model reads one short text of each kind three times:
healthy, with the lesion, with a random lesion of the same size. It takes a few seconds.
""",
    check=Question(
        prompt="Lesion A hurts French but not Python. Lesion B hurts Python but not French. What "
        "is that called, and why is it stronger than A alone?",
        answers=(
            Answer(
                key="double",
                text="A double dissociation: neither task is just the harder one",
                why="With A alone, French might simply be more fragile. B rules that out.",
            ),
            Answer(
                key="mean",
                text="A replication: the same is found twice",
                why="The two lesions show different things, not the same again.",
            ),
            Answer(
                key="proof",
                text="A proof that A is where French is stored",
                why="A lesion shows that something passes through or depends on a place. A cut "
                "cable silences a radio without holding the music.",
            ),
        ),
        right="double",
    ),
    limits="**Holds:** lesion and symptom, control lesions, dissociations. **Fails:** a stroke is "
    "ragged, people recover, and far regions change. Here a lesion is exact, complete, and undone "
    "at once. One short text of each kind is a demonstration, not a result: the page Lesions "
    "measures with errors.",
    terms=("lesion", "lesion_control", "dissociation"),
    sources=(sources.BATES, sources.TEUBER, sources.CARRERA),
    pages=(("experiments/lesions/page.py", "Measure lesions in full"),),
    needs="model",
    minutes=5,
    teach="Try a second network that is as selective. Some lesions do little: activity and need "
    "are two things. Ask what would make the control lesion unfair (units that serve attention "
    "sinks).",
)

PRUNING = Chapter(
    slug="pruning",
    title="Pruning as a lesion study",
    icon="content_cut",
    idea="Pruning is a lesion that one wants nobody to notice. What to take is the whole question.",
    reading="""
A model can be made smaller by removing units for good. That is a lesion with the opposite aim:
the symptom should be as small as possible. So the same questions return: which units, how many,
and what is lost for which text?

Below, one unit in five is silenced by four rules. **Random** draws them. **Weights** takes those
whose weights are smallest. **Activity** takes those whose output varies least while the model
reads. **Membership** takes those with the weakest place in any network (largest |z| smallest).
""",
    predict=Question(
        prompt="Which rule hurts the model least?",
        answers=(
            Answer(
                key="random",
                text="Random: no rule beats chance",
                why="Random lesions hit important units as often as others. A rule that looks at "
                "what units do avoids them.",
            ),
            Answer(
                key="weights",
                text="Weights: small weights do little",
                why="A small weight on a very active unit does a lot. In this family of models "
                "weights alone can be worse than chance.",
            ),
            Answer(
                key="activity",
                text="Activity: what varies little carries little",
                why="A unit whose output hardly varies can be replaced by a constant; the rest of "
                "the model misses little.",
            ),
            Answer(
                key="membership",
                text="Membership: what is in no network is free to go",
                why="Units in no network still matter: together they carry much of the signal.",
            ),
        ),
        right="activity",
    ),
    task="""
Press the button. The model reads the same short texts: whole, then after each rule. Nothing is
removed for good. Then look by kind of text.
""",
    check=Question(
        prompt="A pruned model has the same average loss as before on English. What do you know?",
        answers=(
            Answer(
                key="english",
                text="That it still predicts this kind of English text",
                why="An average over one kind of text hides what was lost elsewhere, as a patient "
                "may pass one test and fail another.",
            ),
            Answer(
                key="all",
                text="That nothing was lost",
                why="French, code or arithmetic may be gone without a trace in that number.",
            ),
            Answer(
                key="units",
                text="That the removed units did nothing",
                why="They may have served another text, or others may do their work in part.",
            ),
        ),
        right="english",
    ),
    limits="**Holds:** a lesion with many symptoms to check. **Fails:** no surgeon removes what is "
    "not missed; and after pruning the rest can be refitted, which brains do by themselves and "
    "models do not.",
    terms=("pruning", "ratio", "energy", "compensation", "perplexity"),
    sources=(sources.SEED, sources.FLAP),
    pages=(("pruning/lab/page.py", "Prune with errors and rivals"),),
    needs="model",
    minutes=5,
    teach="The page Prune does this in full: sink units kept, several random seeds, compensation, "
    "standard errors. Compare its numbers with these.",
)

LIMITS = Chapter(
    slug="limits",
    title="Where the analogy breaks",
    icon="broken_image",
    idea="An analogy is a source of questions. Each break can be shown by an experiment.",
    reading="""
Most fMRI studies smooth their images before analysis, commonly by 4 to 8 mm. Neighbours are
alike, so their average has less noise and loses little. It is a step that works because brains
have places.

Do the same to a model, and it shows at once that its neurons have none.
""",
    predict=Question(
        prompt="We average each unit with its neighbours by number, as far as one does in fMRI "
        "(two voxels wide). How much of a network's peaks is left, compared with the motor map?",
        answers=(
            Answer(
                key="as-much",
                text="About as much as in the brain",
                why="It would be, if neighbouring numbers worked together. They do not, so the "
                "average is mostly bystanders.",
            ),
            Answer(
                key="less",
                text="Much less than in the brain",
                why="Averaging with strangers waters the peaks down.",
            ),
            Answer(
                key="more",
                text="More than in the brain",
                why="Smoothing never raises a peak; it keeps most where neighbours are alike.",
            ),
        ),
        right="less",
    ),
    task="""
Widen the smoothing and compare the three lines. Then read the table: each break with the
experiment that shows it, measured on this atlas.
""",
    check=Question(
        prompt="A friend says: “fMRI and language models have the same networks, so a model thinks "
        "as we do.” What is the best answer?",
        answers=(
            Answer(
                key="method",
                text="The same method finds networks in both; that says little of what they are",
                why="ICA finds independent parts in anything that has some, from voices to stars. "
                "Likeness in function needs its own test.",
            ),
            Answer(
                key="yes",
                text="Right: the same analysis gave the same kind of picture",
                why="A kind of picture comes with the method. A thermometer gives numbers for soup "
                "and for stars.",
            ),
            Answer(
                key="no",
                text="Wrong: nothing in a model can be compared with a brain",
                why="Much can be compared, if each comparison is tested by itself. That is what "
                "these chapters did.",
            ),
        ),
        right="method",
    ),
    limits="The breaks are not flaws to hide: exact, repeatable, reversible experiments are what a "
    "model offers and a brain does not.",
    terms=("smoothing", "cortex", "haemodynamics", "subject", "z"),
    sources=(sources.SMITH, sources.NEUROVAULT),
    pages=(
        ("atlas/scanner/page.py", "Both by nilearn"),
        ("atlas/reliability/page.py", "How sure it is"),
    ),
    needs="atlas",
    minutes=4,
    teach="Close by asking for one question that the analogy raises and one that it cannot answer.",
)
