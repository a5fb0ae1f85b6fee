"""Frames of the ready localizers: twelve a localizer, each with a wording for every condition.

``{name}`` is a slot, filled alike in all conditions of an item; ``{name2}`` is another word of the
same list. ``[a|b]`` is a choice, drawn anew wherever it stands. Numbers: ``{a}``, ``{b}``, ``{c}``
are drawn, ``{s}`` is a + b, ``{d}`` is a + b + c, ``{p}`` is b times c. ``{nonwords}`` is a list of
invented words with the sounds of its frame.
"""

SLOTS: dict[str, list[str]] = {
    "name": (
        "Anna Ben Clara David Emma Frank Grace Henry Irene Jack Kate Leo Maria Nora Oscar Paul "
        "Rosa Sam Tina Victor"
    ).split(),
    "person": [
        "Maria Keller",
        "Thomas Green",
        "Alice Brown",
        "Peter Hansen",
        "Laura Martin",
        "Daniel Cooper",
        "Sarah Miller",
        "Robert Fisher",
        "Julia Carter",
        "Henry Walker",
        "Emily Parker",
        "George Wilson",
        "Anna Schmidt",
        "Michael Turner",
        "Susan Baker",
        "Frank Collins",
        "Helen Morgan",
        "Martin Shaw",
        "Rachel Adams",
        "Oliver Stone",
        "Sophie Bell",
        "Lucas Meyer",
        "Nina Jensen",
        "Paul Weber",
    ],
    "city": [
        "Paris",
        "London",
        "Berlin",
        "Madrid",
        "Vienna",
        "Lisbon",
        "Dublin",
        "Oslo",
        "Cairo",
        "Tokyo",
        "Boston",
        "Chicago",
        "New York",
        "San Francisco",
        "Hong Kong",
        "Cape Town",
        "Buenos Aires",
        "Rio de Janeiro",
        "New Zealand",
        "South Korea",
        "Costa Rica",
        "Los Angeles",
        "North Carolina",
        "West Virginia",
        "Saudi Arabia",
        "Tel Aviv",
    ],
    "animal": "dog cat horse bird fox rabbit sheep goat duck cow mouse bear wolf owl".split(),
    "worker": (
        "teacher farmer doctor baker nurse driver painter lawyer sailor tailor cook guard "
        "student singer writer gardener"
    ).split(),
    "thing": (
        "lamp chair box letter coat bottle basket key cup book clock ring map bag knife blanket "
        "ladder umbrella"
    ).split(),
    "place": (
        "kitchen garden station market library school office church hospital museum harbour "
        "theatre bakery park"
    ).split(),
    "plural": (
        "apples stones books chairs letters bottles boats coins shells tickets lamps flowers "
        "cakes pencils"
    ).split(),
    "food": "bread soup rice cheese fish cake salad meat fruit butter honey pasta".split(),
    "verb": "open clean carry find paint move hide sell lift wash repair fold".split(),
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "month": "January March April June July August October December".split(),
    "colour": "red green blue white black yellow brown grey".split(),
    "adj": "old new small large heavy clean broken wooden quiet narrow".split(),
    "var": "total count result index value item data name score limit size line".split(),
    "func": "load save parse update find check read write merge filter clean split".split(),
    "good": (
        "wonderful excellent delightful brilliant superb lovely charming splendid beautiful "
        "fantastic"
    ).split(),
    "bad": (
        "terrible awful horrible dreadful miserable disgusting boring ugly pathetic disastrous"
    ).split(),
    "work": "film book play concert novel show album story".split(),
}

_LANGUAGE = [
    "The {worker} [slowly |quietly |]walked to the {place} and [bought|found|forgot] a {adj} "
    "{thing}[| for her sister].",
    "On {day} we [all |]sat in the {place} and [talked|laughed|read] until the {worker} came "
    "[home|back|in].",
    "When the rain [finally |]stopped, the {animal} [ran|went|came] across the road to the "
    "{place}[| again].",
    "My [older|younger|] brother [always|never|often] leaves his {thing} near the door of the "
    "{place}.",
    "The {animal} that lives behind the {place} [was|looked|seemed] [hungry|tired|cold] this "
    "[morning|evening].",
    "{name} asked the {worker} to [bring|send|show] her the {adj} {thing} before {day}.",
    "Nobody [really |]knew why the {worker} had [sold|hidden|painted] the {adj} {thing}[| so soon].",
    "After the [long |]meeting, {name} and {name2} went for a walk near the {place}[| together].",
    "A {adj} {thing} was lying on the floor of the {place} when the {worker} [arrived|left].",
    "If the {worker} calls [tonight|today|again], please tell her that the {thing} is in the "
    "{place}.",
    "Every [winter|summer|spring], the {worker} [takes|brings|sends] {plural} to the children in "
    "the {place}.",
    "It was [almost |]dark, so {name} took the {thing} and [hurried|went|ran] home past the "
    "{place}.",
]

_ARITHMETIC = [
    (
        "[So|Now|Well], {a} plus {b} equals {s}, and [then|thus] {s} minus {b} equals {a}.",
        "Bus {a} [stops|waits|parks] near {b} and {s}, [then|but|and] {s} [leaves|goes] before {b} "
        "and {a}.",
    ),
    (
        "[We|You] [see|know|find|get] that {a} + {b} + {c} = {d}, so that [now|then] {d} - {c} = {s}.",
        "[Pages|Rooms|Rows] {a}, {b}, {c} [and|or] {d} [were|are] [old|new|clean], but {d}, {c} "
        "and {s} [were|are] not.",
    ),
    (
        "If you add {a} to {b}, you get {s}[| exactly| in total].",
        "If you [take|ride] bus {a} [or|and] {b}, you [will |]meet {s}[| there| again].",
    ),
    (
        "Multiply {b} by {c}, and the answer is {p}[|, not {s}].",
        "[Take|Try] bus {b} or {c}, [and|for] the {worker} [drives|likes] [to |]{p}[|, not {s}].",
    ),
    (
        "The sum of {a} and {b} is {s}[|; twice {b} is even].",
        "The {adj} {plural} [near|behind] {a} and {b} [face|belong to] {s}[|; {b} is empty].",
    ),
    (
        "[So |Thus |]{p} divided by {c} is [just |]{b}, because {c} times {b} is [also |]{p}.",
        "[Flight|Train|House] {p} [waits|is] near {c} [or|and] {b}, because {c} and {b} [know|like] "
        "{p}.",
    ),
    (
        "Compute {a} + {b}: the result is {s}.",
        "[Dear|Hello] {a} and {b}: the {worker} [is in|of] {s}.",
    ),
    (
        "[So |Thus ]{s} - {a} = {b}. [Check|Proof]: {a} + {b} = {s}.",
        "[Channel|Number] {s}, {a} [or|and] {b}. [Note|News]: {a}, {b} [or|and] {s}.",
    ),
    (
        "What is {b} times {c}? It is [just |exactly ]{p}, since {b} x {c} [|also |again ]= {p}[, see|, right|, too].",
        "Who [lives|works] at {b} [or|and] {c}? [She|He] is [at|in] {p}, [since|but] {b}, {c} "
        "[or|and] {p} [moved|left].",
    ),
    (
        "Start with {a}, add {b} and then {c}, which makes {d}.",
        "[Start|Walk] with {name} [from|past] {a}, {b} and [then |]{c}, which [faces|is] {d}.",
    ),
    (
        "{a} apples and {b} apples [now |all |]make {s} apples[| in all].",
        "Team {a} [beat|met] team {b} in {s} [days|games][| or so].",
    ),
    (
        "Half of {e} is {a}, and {a} + {a} = {e}.",
        "[Room|Gate] {e} [or|and] {a}, [and |but |][then|also] {a}, {a} [and|or] {e}.",
    ),
]

_CODE = [
    (
        "def {func}_{var}({var2}):\n    return {var2}.strip().lower()",
        "The {worker} [who|that] [lives|works] near the {place} [often |]takes the {adj} {thing} "
        "[home|away][| at night].",
    ),
    (
        "for {var} in range({b}):\n    print({var}, {var2}[{var}])",
        "On {day}, the [whole |]family went to the {place} and bought {plural}, {food} and "
        "{food2}[| for dinner].",
    ),
    (
        "if {var} is None:\n    raise ValueError('{var2} missing')",
        "When {name} [came|left], the {animal} was [asleep|waiting] [on|under] the [|{adj} ]table.",
    ),
    (
        "const {var} = {var2}.map(x => x.{var3});\nreturn {var};",
        "The {place} was [closed|empty], so {name} and {name2} [walked|went] to the {place2} "
        "[instead|again][|, as usual].",
    ),
    (
        "while ({var} < {b}) {{ {var} += {c}; {func}({var2}); }}",
        "[Last|Next] {month}, the {worker} [wants|hopes|wanted] to [paint|sell] the {adj} house "
        "near the {place}[ and move away| and live there for good| with all its chairs].",
    ),
    (
        "import {var}\nfrom {var2} import {func}, {func2}",
        "[We|They] had {food} in the {adj} {place}[| today].",
    ),
    (
        "try:\n    {func}({var})\nexcept KeyError:\n    {var2} = {{}}",
        "[Nobody|Somebody] had [seen|told] the {worker} [about|near] the {adj} {thing} in the "
        "{place}[| before].[ It was late.|]",
    ),
    (
        "{var} = [x for x in {var2} if x > {b}]",
        "The {animal} [slept|waited] near the {place} [until|before] {name} came [home|back] from the {place2}[| again].",
    ),
    (
        "public int {func}(int {var}) {{ return {var} * {b}; }}",
        "[My|Her] aunt [keeps|has] a {adj} {thing} [and|but] {plural} in the {place}[ of her town| for the whole winter|, as usual| on {day} night].",
    ),
    (
        "SELECT {var}, {var2} FROM {var3} WHERE {var} > {b};",
        "[Every|Each] {day} the {worker} [sings|reads] to [the|her|all the] children [in|near] the {place}[| for "
        "an hour].",
    ),
    (
        "class {name}(object):\n    def __init__(self, {var}):\n        self.{var} = {var}",
        "{name} was [born|raised] in a {adj} house near the {place}, and [her|his] [mother|father] "
        "was a {worker}[| there].",
    ),
    (
        "with open({var}) as f:\n    {var2} = f.read()",
        "The {worker} [put|left] the {adj} {thing} [on|under] the {thing2} and [left the house|slept all day|left the house again].",
    ),
]

_NEGATION = [
    (
        "The {worker} did not {verb} the {thing}.",
        "The {worker} did [soon|then|also] {verb} the {thing}.",
    ),
    (
        "There is no {food} in the {place}[| today].",
        "There is [some|more] {food} in the {place}[| today].",
    ),
    (
        "{name} has never [seen|liked|visited] the {adj} {place}.",
        "{name} has [always|often] [seen|liked|visited] the {adj} {place}.",
    ),
    (
        "Nobody in the {place} wanted the {thing}.",
        "[Everyone|Someone|Everybody|All] in the {place} wanted the {thing}.",
    ),
    (
        "The {adj} {thing} is not in the {place}.",
        "The {adj} {thing} is [still|now] in the {place}.",
    ),
    ("None of the {plural} were {colour}.", "[Many|Most|All] of the {plural} were {colour}."),
    (
        "We do not know the {worker} from {city}.",
        "We do [now|still] know the {worker} from {city}.",
    ),
    (
        "Neither {name} nor {name2} [opened|took] the {thing}.",
        "Both {name} and {name2} [opened|took] the {thing}.",
    ),
    (
        "The {animal} cannot [see|find|reach] the {food}.",
        "The {animal} can [see|find|reach] the {food}[| now].",
    ),
    ("Nothing in the {thing} was {adj}.", "[Everything|Something] in the {thing} was {adj}."),
    ("{name} left without a {thing} on {day}.", "{name} left with a {thing} on {day}."),
    (
        "It is not true that the {worker} sold the {plural}.",
        "It is [quite|also] true that the {worker} sold the {plural}.",
    ),
]

_NAMES = [
    (
        "We talked about {city} for an hour[| or two] on {day}.",
        "We talked about {person} for an hour[| or two] on {day}.",
    ),
    (
        "The {work} tells the story of {city}[| again].",
        "The {work} tells the story of {person}[| again].",
    ),
    (
        "I had never heard of {city} before {month}.",
        "I had never heard of {person} before {month}.",
    ),
    (
        "{city} was mentioned in the paper on {day}.",
        "{person} was mentioned in the paper on {day}.",
    ),
    (
        "Everyone [here |]remembers {city} very well.",
        "Everyone [here |]remembers {person} very well.",
    ),
    (
        "This photograph shows {city} in {month}[| last year].",
        "This photograph shows {person} in {month}[| last year].",
    ),
    ("She wrote a letter about {city} to {name}.", "She wrote a letter about {person} to {name}."),
    (
        "The {worker} dreamed of {city} [all night|again].",
        "The {worker} dreamed of {person} [all night|again].",
    ),
    (
        "In {month} they [finally |]saw {city} again.",
        "In {month} they [finally |]saw {person} again.",
    ),
    ("The name on the {adj} {thing} was {city}.", "The name on the {adj} {thing} was {person}."),
    (
        "Our next lesson is about {city} and [the past|the war].",
        "Our next lesson is about {person} and [the past|the war].",
    ),
    (
        "Without {city}, the {work} would be [short|dull].",
        "Without {person}, the {work} would be [short|dull].",
    ),
]

_QUESTIONS = [
    ("Did the {worker} {verb} the {adj} {thing}?", "The {worker} did {verb} the {adj} {thing}."),
    ("Where is the {thing} that {name} bought?", "[Here|There] is the {thing} that {name} bought."),
    ("Why was the {place} closed on {day}?", "[So|Then] the {place} was closed on {day}."),
    ("Is the {adj} {animal} in the {place}?", "The {adj} {animal} is in the {place}."),
    (
        "Who [sold|gave] the {plural} to {name}?",
        "[She|He|They] [sold|gave] the {plural} to {name}.",
    ),
    (
        "Can {name} [see|hear] the {animal} from the {place}?",
        "{name} can [see|hear] the {animal} from the {place}.",
    ),
    (
        "When will the {worker} come back to {city}?",
        "[Then|Soon] the {worker} will come back to {city}.",
    ),
    ("How many {plural} are in the {thing}?", "[So|Very|Too] many {plural} are in the {thing}."),
    ("Do you [like|want] {food} and {food2}?", "They [both |also ]like {food} and {food2}."),
    (
        "What did the {worker} find near the {place}?",
        "The {worker} did find [it|one] near the {place}.",
    ),
    ("Has {name} ever been to {city}?", "{name} has [once|often] been to {city}."),
    (
        "Should we {verb} the {thing} in the {place}?",
        "We should {verb} the {thing} in the {place}.",
    ),
]

_AGREEMENT = [
    (
        "The {plural} that the {worker} keeps in the {place} is [old|new] and {colour}.",
        "The {plural} that the {worker} keeps in the {place} are [old|new] and {colour}.",
    ),
    (
        "The {thing} behind the {plural} of the {worker} are {adj} and {colour}.",
        "The {thing} behind the {plural} of the {worker} is {adj} and {colour}.",
    ),
    (
        "The {plural} near the {adj} {place} was {colour} and [not |]{adj2}.",
        "The {plural} near the {adj} {place} were {colour} and [not |]{adj2}.",
    ),
    (
        "The {worker} with the {plural} from {city} were [tired|hungry] on {day}.",
        "The {worker} with the {plural} from {city} was [tired|hungry] on {day}.",
    ),
    (
        "The {plural} which {name} gave to the {worker} has a {adj} smell.",
        "The {plural} which {name} gave to the {worker} have a {adj} smell.",
    ),
    (
        "The {animal} that chased the {plural} down the road have [gone|left] to the {place}.",
        "The {animal} that chased the {plural} down the road has [gone|left] to the {place}.",
    ),
    (
        "The {plural} in the {thing} beside the {place} belongs to {name} and {name2}.",
        "The {plural} in the {thing} beside the {place} belong to {name} and {name2}.",
    ),
    (
        "The {thing} under the {adj} {plural} belong to the {worker} from {city}.",
        "The {thing} under the {adj} {plural} belongs to the {worker} from {city}.",
    ),
    (
        "The {plural} on the table in the {place} looks {adj} and {colour} [today|now].",
        "The {plural} on the table in the {place} look {adj} and {colour} [today|now].",
    ),
    (
        "The {worker} who sold the {plural} to {name} live near the {place}.",
        "The {worker} who sold the {plural} to {name} lives near the {place}.",
    ),
    (
        "The {plural} that fell from the {adj} {thing} was never found by {name}.",
        "The {plural} that fell from the {adj} {thing} were never found by {name}.",
    ),
    (
        "The {place} with the {adj} {plural} on the wall were closed on {day}.",
        "The {place} with the {adj} {plural} on the wall was closed on {day}.",
    ),
]

_SENTIMENT = [
    (
        "The {work} was {good}, and we [loved|enjoyed] every minute.",
        "The {work} was {bad}, and we [hated|regretted] every minute.",
    ),
    (
        "{name} is a {good} {worker} who makes everyone happy.",
        "{name} is a {bad} {worker} who makes everyone [angry|sad].",
    ),
    (
        "What a {good} day: the sun came out and everybody smiled.",
        "What a {bad} day: the [storm|rain] came in and everybody cried.",
    ),
    (
        "I love this {thing}; it works perfectly and looks {good}.",
        "I hate this {thing}; it [breaks|fails] [constantly|daily] and looks {bad}.",
    ),
    (
        "The {food} in {city} tasted {good} and fresh.",
        "The {food} in {city} tasted {bad} and [rotten|stale].",
    ),
    (
        "Thank you [all |]for the {good} {plural}, they made me [so|very] happy.",
        "[Shame|Curse] you for the {bad} {plural}, they made me so [sad|sick].",
    ),
    (
        "We had a {good} time in {city} with our kind host.",
        "We had a {bad} time in {city} with our [rude|cruel] host.",
    ),
    (
        "The service at the {place} was friendly and {good}.",
        "The service at the {place} was [rude|slow] and {bad}.",
    ),
    (
        "{name} won the prize, and her {good} speech moved us all.",
        "{name} lost the [case|fight], and her {bad} speech [bored|hurt] us all.",
    ),
    (
        "This is the best {work} of the year, simply {good}.",
        "This is the worst {work} of the year, simply {bad}.",
    ),
    (
        "Our new {adj} home is {good}, warm and full of joy.",
        "Our new {adj} home is {bad}, cold and full of [fear|dirt].",
    ),
    (
        "The {worker} was {good} and helped us [both |]with a [kind|warm] smile.",
        "The {worker} was {bad} and [cheated|insulted] us with a [lie|sneer].",
    ),
]

_DIALOGUE = [
    (
        '"Where is the {thing}?" asked {name}. "In the {place}," said {name2}.',
        "{name} asked [again |]where the {thing} was, and {name2} said that it was in the {place}[| now].",
    ),
    (
        '"I saw the {animal}," said {name}. "So did I," said {name2}.',
        "{name} said that [he|she] saw the {animal}, and {name2} [said the same|had seen it too][| there].",
    ),
    (
        '"Please {verb} the {thing}," said {name}. "Not today," said {name2}.',
        "{name} asked {name2} to {verb} the {thing}, but {name2} did not [want|wish] to [today|do it].",
    ),
    (
        '"Do you like {food}?" "Yes, but not with {food2}," said {name}.',
        "[Somebody asked|They asked] {name} about {food}, and [she|he] liked it, but not with {food2}[| at all].",
    ),
    (
        '"We must go to the {place}," said the {worker}. "Now?" "Yes, now."',
        "The {worker} told [them|us|her] that they had to go to the {place}[| at once| right then], and so they [went|did].",
    ),
    (
        '"Good morning, {name}," said the {worker}. "Good morning," said {name}.',
        "In the morning, the {worker} [greeted|met] {name}, and {name} [kindly |]greeted the {worker} too[| as always].",
    ),
    (
        '"Look, a {animal}!" cried {name}. "Where?" "Near the {place}!"',
        "{name} [loudly |suddenly |]told the others that there was a {animal} near the {place}[| again|, right over there|, and pointed at it].",
    ),
    (
        '"How much is the {adj} {thing}?" "[Just|Only] {b} [gold |silver ]coins," said the [old |kind |]{worker}.',
        "[Someone|The man] asked the price of the {adj} {thing}, and the {worker} [wanted|asked for] {b} coins[| for it].",
    ),
    (
        '"Are you from {city}?" asked {name}. "No, I am not," said {name2}.',
        "{name} wanted to know if {name2} was from {city}, but {name2} [came|was] from [elsewhere|somewhere else].",
    ),
    (
        '"Who took my {thing}?" "I did," said the {worker}. "Sorry!"',
        "The {worker} had taken the {thing} and [said so|told them] when somebody asked about it[| today|, and was sorry| soon after| quite late].",
    ),
    (
        '"You are late," said the {worker}. "The bus was slow," said {name}.',
        "The {worker} [complained|noted] that {name} was late, and {name} [blamed|mentioned] the slow bus[| again| once more| for all of it].",
    ),
    (
        '"See you on {day}," said {name}. "Bring the {thing}!" said {name2}.',
        "{name} and {name2} agreed to meet on {day}, and {name} was [asked |told |]to bring the {thing}[| along].",
    ),
]


def _pairs(conditions: tuple[str, str], frames: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [dict(zip(conditions, frame, strict=True)) for frame in frames]


FRAMES: dict[str, list[dict[str, str]]] = {
    "language": [{"sentences": frame, "non-words": "{nonwords}"} for frame in _LANGUAGE],
    "arithmetic": _pairs(("arithmetic", "numbers in prose"), _ARITHMETIC),
    "code": _pairs(("code", "prose"), _CODE),
    "negation": _pairs(("negated", "affirmed"), _NEGATION),
    "names": _pairs(("places", "persons"), _NAMES),
    "questions": _pairs(("questions", "statements"), _QUESTIONS),
    "agreement": _pairs(("broken", "kept"), _AGREEMENT),
    "sentiment": _pairs(("pleasant", "unpleasant"), _SENTIMENT),
    "dialogue": _pairs(("dialogue", "narration"), _DIALOGUE),
}
