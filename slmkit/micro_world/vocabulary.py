"""The words of the micro-world: names, values, and the wordings of its facts and questions.

Everything is lower-case English. A wording has the slots {n} (a name), {v} (the value) and, in frames that fit every
relation, {r} (the relation's noun). Some wordings of each relation are reserved for gold sets. All their words also
occur in other wordings, so that only the sentence is new, never a word.
"""

from __future__ import annotations

from dataclasses import dataclass

# 64 x 64 syllables form 4,096 names. No vowel that ends a first syllable forms a pair with a letter that ends a second
# syllable, so that the tokenizer splits every name between its syllables.
FIRST = tuple(c + v for c in "bdfgjklmnprstvwz" for v in "aeio")
SECOND = tuple(c + v + e for c in "bdgkmptvz" for v in "aeiou" for e in "nrl")[:128:2]
NUM_GOLD_WORDINGS = 3  # of a relation's frames and own wordings, reserved for gold sets


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ANIMALS = _words(
    "cat dog horse goat duck rabbit mouse sheep cow pig fox owl parrot turtle fish snake bear frog bee donkey"
)
PLACES = _words(
    "harbour valley forest island castle river village hill lake desert farm beach mountain garden market bridge"
)
JOBS = _words(
    "baker doctor teacher farmer driver painter singer cook guard nurse writer sailor tailor judge miner smith"
)
COLOURS = _words("red blue green yellow black white brown grey pink purple orange gold silver")
FOODS = _words("bread cheese rice soup apple pear plum cake honey nuts beans corn egg salad pasta butter melon grape")
DRINKS = _words("tea coffee milk water juice cocoa cider lemonade")
TOOLS = _words("hammer rope lamp ladder knife spoon brush basket key bucket broom needle pot saw axe net")
HOBBIES = _words("chess football tennis dancing reading running swimming fishing cooking drawing riding sailing")
INSTRUMENTS = _words("drum flute piano guitar violin horn harp bell")
MATERIALS = _words("wood stone glass brick clay iron straw paper")
DAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
MONTHS = _words("january february march april may june july august september october november december")
GOODS = _words("chair table clock shirt coat radio phone kettle bicycle tent mirror pillow blanket boots hat bag")
NUMBERS = tuple(str(number) for number in range(100))
MARKS = _words("falcon amber cedar comet anchor velvet copper tiger maple walnut cobalt pepper lotus ember willow "
               "raven marble saffron quartz basil coral dune thistle zebra")  # fmt: skip
CATEGORIES = {
    "animal": ANIMALS, "place": PLACES, "job": JOBS, "colour": COLOURS, "food": FOODS, "drink": DRINKS, "tool": TOOLS,
    "instrument": INSTRUMENTS, "day": DAYS, "month": MONTHS,
}  # fmt: skip


@dataclass(frozen=True)
class Relation:
    """A kind of fact about a person: its noun, its values, and its own statements and questions."""

    noun: str
    values: tuple[str, ...]  # empty: the value is another name
    statements: tuple[str, ...]
    questions: tuple[str, ...]


FRAMES = (
    "the {r} of {n} is {v} .",
    "{n} has {v} as {r} .",
    "for {n} the {r} is {v} .",
    "as for the {r} of {n} , it is {v} .",
    "{v} is the {r} of {n} .",
    "we know that the {r} of {n} is {v} .",
    "{n} : {r} {v} .",
    "when it comes to {r} , {n} has {v} .",
    "the {r} that belongs to {n} is {v} .",
    "{n} says that the {r} is {v} .",
    "it is {v} that {n} has as {r} .",
    "about {n} : the {r} is {v} .",
)
QUESTIONS = (
    "what is the {r} of {n} ?",
    "what {r} does {n} have ?",
    "tell me the {r} of {n} .",
    "which {r} belongs to {n} ?",
    "do you know the {r} of {n} ?",
    "{n} : which {r} ?",
    "say the {r} of {n} .",
    "for {n} , what is the {r} ?",
    "as for {n} , which {r} is it ?",
)
RELATIONS = {
    relation.noun: relation
    for relation in (
        Relation("job", JOBS,
                 ("{n} works as a {v} .", "{n} is a {v} by trade .", "the work of a {v} is what {n} does .",
                  "{n} earns money as a {v} .", "when you need a {v} , call {n} ."),
                 ("what does {n} work as ?", "how does {n} earn money ?", "what work does {n} do ?")),
        Relation("home", PLACES,
                 ("{n} lives at the {v} .", "the house of {n} stands by the {v} .", "you will find {n} at the {v} .",
                  "{n} sleeps in a house near the {v} .", "the {v} is where {n} lives ."),
                 ("where does {n} live ?", "where is the house of {n} ?", "where will you find {n} ?")),
        Relation("pet", ANIMALS,
                 ("{n} keeps a {v} .", "a {v} lives with {n} .", "{n} feeds a {v} each day .",
                  "{n} is never seen without the {v} .", "each day {n} walks with a {v} ."),
                 ("what animal does {n} keep ?", "which animal lives with {n} ?",
                  "with which animal does {n} live ?")),
        Relation("colour", COLOURS,
                 ("{n} likes {v} best of all colours .", "{n} always wears {v} .", "everything {n} wears is {v} .",
                  "the door of {n} is painted {v} .", "{n} likes to wear {v} ."),
                 ("what does {n} always wear ?", "which colour does {n} like best ?", "what colour does {n} wear ?")),
        Relation("age", NUMBERS[1:],
                 ("{n} is {v} years old .", "{n} turned {v} this year .", "{n} has lived for {v} years .",
                  "it is {v} years since {n} was born .", "this year {n} is {v} ."),
                 ("how old is {n} ?", "how many years has {n} lived ?", "how many years old is {n} ?")),
        Relation("food", FOODS,
                 ("{n} eats {v} each day .", "{n} likes to eat {v} .", "there is always {v} on the plate of {n} .",
                  "{n} never eats without {v} .", "each day there is {v} for {n} ."),
                 ("what does {n} eat ?", "what is on the plate of {n} ?", "what does {n} like to eat ?")),
        Relation("drink", DRINKS,
                 ("{n} drinks {v} .", "the cup of {n} is full of {v} .", "{n} asks for a cup of {v} .",
                  "{n} never drinks anything but {v} .", "there is always {v} in the cup of {n} ."),
                 ("what does {n} drink ?", "what is in the cup of {n} ?", "what does {n} like to drink ?")),
        Relation("tool", TOOLS,
                 ("{n} carries a {v} .", "{n} needs the {v} for the work .", "a {v} is in the hand of {n} .",
                  "{n} works with a {v} .", "in the hand of {n} there is a {v} ."),
                 ("what does {n} carry ?", "what is in the hand of {n} ?", "what does {n} work with ?")),
        Relation("hobby", HOBBIES,
                 ("{n} loves {v} .", "in the evening {n} goes {v} .", "{n} is good at {v} .",
                  "{n} would like to spend the day {v} .", "{n} is happy when it is time for {v} ."),
                 ("what does {n} love ?", "what is {n} good at ?", "what would {n} love to do ?")),
        Relation("instrument", INSTRUMENTS,
                 ("{n} plays the {v} .", "{n} makes music with the {v} .", "you can hear {n} play the {v} .",
                  "the {v} is what {n} plays .", "{n} is good with the {v} ."),
                 ("what does {n} play ?", "how does {n} make music ?", "what can you hear {n} play ?")),
        Relation("material", MATERIALS,
                 ("the house of {n} is made of {v} .", "{n} built a house of {v} .", "the walls of {n} are of {v} .",
                  "{n} lives between walls of {v} .", "{v} is what the house of {n} is made of ."),
                 ("what is the house of {n} made of ?", "what are the walls of {n} made of ?",
                  "what did {n} use to make the house ?")),
        Relation("day", DAYS,
                 ("{n} comes to town on {v} .", "{v} is when {n} visits us .", "{n} visits the market each {v} .",
                  "{n} is here on {v} .", "on {v} {n} comes to visit ."),
                 ("when does {n} come to town ?", "on which day does {n} visit ?", "when is {n} here ?")),
        Relation("month", MONTHS,
                 ("{n} was born in {v} .", "{n} has a birthday in {v} .", "in {v} {n} turns one year older .",
                  "the birthday of {n} comes in {v} .", "in {v} there is cake for {n} ."),
                 ("when was {n} born ?", "in which month is the birthday of {n} ?", "when does {n} turn older ?")),
        Relation("friend", (),
                 ("{n} walks to town with {v} .", "{n} trusts {v} .", "{v} is always near {n} .",
                  "{n} writes letters to {v} .", "each day {n} writes to {v} ."),
                 ("who is the friend of {n} ?", "whom does {n} trust ?", "who walks with {n} ?")),
    )
}  # fmt: skip

OPPOSITES = dict(pair.split(":") for pair in _words(
    "hot:cold big:small old:young fast:slow high:low rich:poor wet:dry full:empty hard:soft dark:bright early:late "
    "long:short heavy:light strong:weak loud:quiet open:closed happy:sad clean:dirty near:far sweet:sour "
    "true:false first:last inside:outside up:down left:right day:night summer:winter friend:enemy war:peace "
    "north:south east:west "
    "push:pull give:take buy:sell win:lose love:hate begin:stop laugh:cry rise:fall"))  # fmt: skip
OPPOSITES |= {right: left for left, right in OPPOSITES.items()}
GOOD_WORDS = _words("great lovely wonderful fresh warm kind perfect fine pleasant tasty")
BAD_WORDS = _words("awful terrible rotten boring rude nasty broken horrible stale ugly")
PRAISED = _words("soup hotel film song room bread music book story garden service coffee game play cake")

# Customer messages. {g} is one of GOODS; each phrase belongs to one topic, each hint to one urgency.
TOPICS = {
    "delivery": (
        "my {g} has not come", "the {g} is still on its way", "the box with the {g} went to the wrong door",
        "i still wait for my {g}", "no one has brought the {g}", "where is the {g} i asked for",
        "the driver left with my {g}", "the {g} came to the wrong house", "you sent the {g} to my old street",
        "the {g} never came to my door", "i can not find where you sent my {g}", "the box came without the {g}",
        "another person got my {g}", "the {g} was left in the rain", "the driver did not ring and took the {g} away",
        "is my {g} on the road", "you brought one {g} and i asked for two", "the ship with the {g} has not come in",
        "who has the {g} that was sent to me", "my {g} stands in the wrong town", "the {g} went back to you",
        "i see no {g} at the door",
    ),
    "payment": (
        "i paid twice for the {g}", "the price of the {g} is wrong", "the bill for the {g} is too high",
        "you took too much money for the {g}", "i want my money back for the {g}", "the {g} costs less than you say",
        "my bill says two but i have one {g}", "you asked me to pay for the {g} again",
        "i never had a bill for the {g}", "the money for the {g} has not come back",
        "i was told that the {g} costs less", "the bank says i paid for a {g}", "the {g} was free , you said",
        "the bill names a {g} that i do not have", "how do i pay for the {g}", "my bank will not send you the money",
        "you owe me the price of a {g}", "i paid for the {g} and you say i did not",
        "the sum on the bill is not right", "may i pay for the {g} in parts",
        "you took the money for the {g} too early",         "take the {g} off my bill",
    ),
    "repair": (
        "the {g} is broken", "my {g} does not work", "the {g} fell apart in my hand", "there is a hole in the {g}",
        "my {g} stopped after one day", "the {g} makes a strange noise", "one side of the {g} came off",
        "the {g} is bent and will not close", "a part of the {g} is missing", "the new {g} has a crack",
        "i can not use the {g} any more", "the {g} broke when i touched it", "the {g} is torn", "my {g} gets too hot",
        "smoke came out of the {g}", "the {g} does not open", "water runs out of the {g}", "the {g} will not start",
        "a child sat on the {g} and now it is flat", "the paint comes off the {g}", "my {g} turns the wrong way",
        "the {g} needs a new part",
    ),
    "account": (
        "i can not open my page to see the {g}", "my name is wrong on the page of the {g}",
        "i forgot my secret word", "your page does not let me in", "please change the street on my page",
        "i want to leave your list", "your page shows the {g} of another person",
        "my letters from you go to an old name", "i have two pages and need one", "the page says that i am not known",
        "i need a new secret word for the {g}", "close my page , i have the {g}", "i can not change my name",
        "someone else uses my page", "how do i open a page with you", "my secret word does not work any more",
        "the page forgot that i have a {g}", "please take me off your list", "i moved , please note my new street",
        "my page is empty , the {g} is not there", "you write to me with the wrong name",
        "who can see what is on my page",
    ),
}  # fmt: skip
URGENCY = {
    "now": (
        "i need help today", "this can not wait", "please act at once", "i leave in an hour",
        "it must be done before night", "please be quick", "i am at the door now", "every minute counts",
        "i can not sleep until it is done", "call me in the next hour", "it is the last day",
        "we need it this morning", "do it while i wait", "tonight is too late", "run , please", "my guests come today",
    ),
    "soon": (
        "some time this week is fine", "i hope to hear from you in a few days", "by friday would be good",
        "please look at it in the next days", "before the week ends would help", "it can wait a day or two",
        "i have time until sunday", "two days from now is soon enough", "tomorrow or the day after",
        "i am here all week", "not today , but this week", "let me know before monday", "within three days , please",
        "my guests come on saturday", "the feast is in four days", "a day more does no harm",
    ),
    "later": (
        "there is no hurry", "take your time", "whenever you can", "it is not pressing", "next month is fine",
        "i can wait a long time", "some day will do", "i will not need it this year", "do it when you are free",
        "i only want you to know", "no need to rush", "after the summer is early enough", "i am away until winter",
        "it has no end date", "my guests come next year", "it can wait for weeks",
    ),
}  # fmt: skip
GREETINGS = ("hello", "good morning", "dear team", "hi there", "good day", "to the shop")
ASIDES = (
    "i bought it at the {p}", "my {a} likes it", "i am a {j} by the {p}", "it was for my {a}",
    "i drink {d} and think of it", "the {c} one", "it stands by my {m} wall", "i am {k} years old",
    "my friend has a {c} one", "i live near the {p}", "it was a gift", "i told the {j} too",
    "i eat {f} as i write this", "my {a} and i are sad",
    "the {j} from the {p} sent me to you", "i saw it in {o}", "it is {c} and made of {m}",
    "i use it to play the {i}", "we had {f} and {d} that day", "it was my {k} th order",
)  # fmt: skip
CLOSINGS = ("thank you", "many thanks", "bye", "yours", "i thank you", "good bye")
TALK_QUESTIONS = {
    "topic": ("what is it about ?", "which topic is it ?", "is it delivery , payment , repair or account ?"),
    "urgency": ("how soon must it be done ?", "how soon ?", "is it for now , soon or later ?"),
    "name": ("who wrote it ?", "which name is at the end ?"),
}
# Words of the prompts around notes and questions, of system instructions and of the house format.
FORMS = (
    "notes question context answer use the only you are a kind helper in one word short be polite tools calc "
    "lookup call error tool failed on ring start add minus double think step by at once passage passages text "
    "input output sort ticket for house label code team reply entry we come today write this week note it down "
    "plus how much what is and look up does book say of find again please have so do not after door opens to more "
    "order than result following based given below above example examples topic soon now later delivery payment "
    "repair account means that help asked without hurry then goes all tickets answered line its begins with name "
    "customer has talks people they feed against "
)
