"""Free text: what is found, what is not, what survives (``make bench-text``).

Synthetic Swedish reports with planted identifiers. Three kinds of names, none of them on a list of ours as a name
unless it is an ordinary word as well: Faker's for Sweden (MIT), made-up ones of syllables, and ones of the wide world.
A name counts as leaked if any of its words is left. Seeded: the same figures each time. Exit 1 below a target.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

from aida_pipelines.contracts.vocabulary import load_vocabulary
from aida_pipelines.deid.luhn import luhn
from aida_pipelines.deid.text.cleaner import TextCleaner
from aida_pipelines.deid.text.dates import ways_to_write
from aida_pipelines.deid.text.found import without
from aida_pipelines.deid.text.known import Known
from aida_pipelines.deid.text.spellings import fold
from aida_pipelines.deid.text.swedish import swedish_numbers
from aida_pipelines.deid.text.words import Words

_CHECKOUT = Path(__file__).resolve().parents[1]

HARMLESS = """
Inga metastaser i lever eller skelett.
Lungparenkymet är utan förtätningar eller infiltrat.
Hjärtat är normalstort och utan stas.
Ingen pleuravätska, ingen pneumothorax.
I högra lungans överlob ses en 12 x 14 mm stor spikulerad förändring, suspekt för malignitet.
Förstorade lymfkörtlar i mediastinum, störst 18 mm i kortaxel.
Jämfört med föregående undersökning oförändrade fynd.
Levern är förstorad med fettinlagring, gallblåsan innehåller flera konkrement.
Pankreas, mjälte och binjurar utan anmärkning.
Njurarna är normalstora, ingen avflödesrubbning.
Degenerativa förändringar i ländryggen med sänkta diskar L4-L5 och L5-S1.
Spinal stenos på nivå L3-L4, ingen påverkan på conus medullaris.
Ingen intrakraniell blödning och inga tecken till färsk infarkt.
Ventrikelsystemet är normalvitt, medellinjen är inte överskjuten.
Måttliga vitsubstansförändringar, Fazekas grad 2.
Fri gas i buken talar för perforation av hålorgan.
Utbredd divertikulos i sigmoideum utan tecken till inflammation.
Fraktur genom collum femoris med lätt felställning.
Ingen skelettskada påvisas i handled eller hand.
Kontrasttillförsel intravenöst utan komplikation.
Undersökningen försvåras av rörelseartefakter.
MR hjärna med T1-, T2- och diffusionsviktade sekvenser före och efter gadolinium.
Prostatan är förstorad med en volym på 62 ml, PI-RADS 4 i perifera zonen.
Mammografi visar täta bröst, BI-RADS 3 på vänster sida.
Misstänkt Crohns sjukdom med förtjockad vägg i terminala ileum.
Status efter höftprotes vänster, protesen har gott läge.
Aorta abdominalis mäter 34 mm i diameter.
Adenokarcinom i lungan, måttligt differentierat, med växt i lymfkärl.
Tumörcellerna är positiva för TTF-1 och negativa för p40.
PD-L1 uttrycks i 60 % av tumörcellerna.
Blodtryck 140/80, puls 72, saturation 97 %.
Patienten har svår värk i höger knä sedan tre veckor och haltar.
Frågeställning: Tumör? Blödning? Infarkt?
Anamnes: Tidigare frisk kvinna som inkommer med andfåddhet och feber.
Bedömning: Misstanke om lungemboli kan inte bekräftas.
Rekommenderar uppföljning med DT thorax om tre månader.
Bilaterala höftledsartroser med osteofyter och subkondral skleros.
Tyreoidea är förstorad med flera knutor, störst i vänster lob.
Ökad attenuering i basala ganglierna, sannolikt förkalkningar.
Vätskenivåer i sinus maxillaris bilateralt talar för sinuit.
""".strip().split("\n")

WITH_NAMES = (
    """
Patienten {full} inkommer med bröstsmärta.
{first} mår bättre efter operationen.
{full} undersöktes på akuten.
Enligt {first} har smärtan ökat.
Hustrun {first} är informerad om svaret.
Dr {last} har granskat bilderna.
Remittent: {full}
Remitterande läkare {last}, {first}.
Bedömt av överläkare {full}.
Svaret har diskuterats med {full} på ronden.
Kontakta {first} {last} vid frågor.
Granskad av specialistläkare {last} och ST-läkare {other}.
{last} söker för huvudvärk och yrsel.
Dottern {first} följer med och berättar om {last}s fall.
Ssk {first} satte infarten utan problem.
Signerat av {full}
Mvh\n{full}
Patient: {last}, {first}
Vi tackar {full} för remissen.
Planeras för operation av {last} nästa vecka.
Konsulterar neurokirurg {last} som inte ser behov av åtgärd.
Uppgifterna kommer från {first}s vårdcentral.
{caps} UNDERSÖKTES MED DT THORAX.
Undersökt tillsammans med {full} och {other}.
Docent {last} rekommenderar biopsi.
{lower} söker för buksmärta.
""".strip()
    .replace("\\n", "\n")
    .split("\n")
)

# Written when all else was ready. Of what they showed one thing was changed: a bracket begins no sentence.
HELD_OUT = """
Subsegmentella lungembolier bilateralt, men ingen högerbelastning.
Lindrig skolios och uttalad lordos i halsryggen.
Tarmpaketet är gasfyllt utan nivåer som vid obstruktion.
Känt bukaortaaneurysm följs med ultraljud varje år.
Högersidig njursten utan tecken till avstängning av njuren.
Smalspårig tand i överkäken med apikal uppklarning.
Hudförtjockning och ödem i subkutan vävnad över underbenet.
Kvarvarande pneumoperitoneum dagen efter laparoskopi.
Patienten kunde inte medverka till andhållning, bildkvaliteten är därför nedsatt.
Axillära körtlar av normal storlek och med bevarad fetthilus.
Knäleden: bakhornet av mediala menisken är degenererat med horisontell ruptur.
Lätt splenomegali, tvärmått 14 cm, oklar genes.
Hjärnstammen och lillhjärnan ser ordinära ut.
Nytillkommen sklerotisk kotförändring i bröstryggen måste utredas vidare med skelettscintigrafi.
Materialet räcker inte för säker gradering; ny provtagning föreslås.
Snitten visar tubulära körtlar med låggradig dysplasi.
Intakt rotatorkuff, men vätska i bursan.
Kateterspetsen projiceras över övre hålvenen.
Svullnad kring fotleden efter vrickning på trappan hemma.
Undersökning utförd enligt protokoll för barn med reducerad stråldos.
""".strip().split("\n")

HELD_OUT_WITH_NAMES = """
Det är {first}s tredje besök i år.
Önskar att {full} ringer upp anhöriga.
Bilderna visades för {last} på mottagningen.
Provet togs av {first} i förmiddags.
Enligt anteckning av {last} 14/2 hade hon ont.
I samråd med {full}, kirurgkliniken, avstås från operation.
{first} och {other} har båda samma mutation.
Inskickat av: {full}
Tolk: {full}, arabiska.
"{first} vill inte" skriver modern.
Var vänlig ring {last} på avdelning 12.
Rond: {last}/{other}
Frågeställning från {last}: fraktur?
{full}, 64 år, inkom med ambulans.
MR hjärna {full}
Jag, {full}, har läst svaret.
Röntgenläkare: {full} Assisterande: {other}
Se även remiss ({last}).
""".strip().split("\n")

_GIVEN = (
    "Vob Tjor Mirn Osk Drav Elk Ylj Brin Fjal Snor Zav Kvel Ulm Hjar Smyl Ravn Josk Plin Gryt Edv".split()
)
_GIVEN_ENDS = "a e ina is ko ar el ette ulf va mund hild rik vor".split()
_FAMILY = "Tjel Vobr Krusk Bjerv Snork Plask Fjorv Grönk Mjuv Stråv Hjulv Ärv Ömk Åskv Drusk Knaj Smöj Vrist".split()
_FAMILY_ENDS = "vander ink linder sson ström berg quist ell mark gren ås kvist hult stedt ovic zadeh".split()
_WORLD_GIVEN = (
    "Mohammed Fatima Ahmed Nguyen Wei Olga Dmitri Aleksandra Goran Zoran Amina Yusuf Leila Reza Shirin Giovanni Chiara "
    "Jürgen François Siobhán Krzysztof Małgorzata Łukasz İbrahim Nikos Eleni Pekka Päivi Jari Thandiwe Kwame"
).split()
_WORLD_FAMILY = (
    "Hosseini Kowalczyk Nowakowska Papadopoulos Yılmaz Øvergaard Ibrahimović Hernández Nguyen Tran Okonkwo Petrov "
    "Ivanova Bianchi Müller Lefèvre O'Brien McCarthy Virtanen Korhonen Abdi Warsame Tesfaye Rahimi Kaur Banerjee"
).split()


def faker_names() -> tuple[list[str], list[str]]:
    from faker.providers.person.sv_SE import Provider

    given = {*Provider.first_names_female, *Provider.first_names_male}
    return sorted(given), sorted(Provider.last_names)


def made_up_names() -> tuple[list[str], list[str]]:
    return [a + b for a in _GIVEN for b in _GIVEN_ENDS], [a + b for a in _FAMILY for b in _FAMILY_ENDS]


def world_names() -> tuple[list[str], list[str]]:
    return _WORLD_GIVEN, _WORLD_FAMILY


NAMES: dict[str, Callable[[], tuple[list[str], list[str]]]] = {
    "Faker, Sweden": faker_names,
    "made up of syllables": made_up_names,
    "of other countries": world_names,
}


def words_of(text: str) -> Counter[str]:
    return Counter(word for word in re.findall(r"[^\W\d_]+", fold(text)) if len(word) > 1)


def unknown_names(
    cleaner: TextCleaner, rng: random.Random, templates: list[str], reports: int, shown: int
) -> dict[str, tuple[int, int]]:
    """Names planted and names gone, by where they come from."""
    figures = {}
    for kind, source in NAMES.items():
        given, family = source()
        planted = gone = 0
        for _ in range(reports):
            first, last, other = rng.choice(given), rng.choice(family), rng.choice(family)
            template = rng.choice(templates)
            slots = {
                "first": first,
                "last": last,
                "other": other,
                "full": f"{first} {last}",
                "caps": f"{first} {last}".upper(),
                "lower": f"{first} {last}".lower(),
            }
            before, after = rng.sample(HARMLESS, 2)
            cleaned = words_of(cleaner(f"{before} {template.format(**slots)}\n{after}"))
            expected = words_of(f"{before} {after} {re.sub('{[a-z]+}s?', ' ', template)}")
            for slot in re.findall(r"{([a-z]+)}", template):
                planted += 1
                leaked = [
                    word
                    for name in words_of(slots[slot])
                    for word in (name, name + "s")
                    if cleaned[word] > expected[word]
                ]
                gone += not leaked
                if leaked and shown:
                    shown -= 1
                    print("  left:", leaked, "in", template)
        figures[kind] = gone, planted
    return figures


def number_formats(rng: random.Random, each: int) -> dict[str, tuple[int, int]]:
    """Numbers planted and numbers found, by format."""
    figures: Counter[str] = Counter()
    for kind, make in FORMATS.items():
        for _ in range(each):
            text = rng.choice(AROUND).format(rng.choice(SPELLINGS)(make(rng), rng))
            figures[kind] += not re.search(r"\d", without(text, swedish_numbers(text)).replace("T1", ""))
    return {kind: (figures[kind], each) for kind in FORMATS}


def _day(rng: random.Random) -> date:
    return date(1900, 1, 1) + timedelta(rng.randrange(45_000))


def _checked(body: str) -> str:
    return body + next(digit for digit in "0123456789" if luhn(body[-9:] + digit))


def _personal(rng: random.Random, add: int = 0) -> str:
    day = _day(rng)
    return _checked(f"{day:%Y%m}{day.day + add:02}{rng.randrange(1000):03}")


def _stockholm(rng: random.Random) -> str:
    body = f"99{rng.randrange(1900, 2026)}{rng.randrange(100_000):05}"
    return body + next(digit for digit in "0123456789" if luhn(body[4:] + digit))


def _inera(rng: random.Random) -> str:
    return _checked(
        f"{rng.randrange(1900, 2026)}{rng.randrange(1, 13):02}{rng.randrange(32, 60)}{rng.randrange(1000):03}"
    )


def _national(rng: random.Random) -> str:
    letters = "".join(rng.choices("ABCDEFGHJKLMNPRSTUXYZ", k=2))
    return f"{rng.choice((22, 23, 25))}{_day(rng):%y%m%d}{letters}{rng.randrange(10)}{rng.randrange(10)}"


def _lettered(rng: random.Random, form: str) -> str:
    return f"{_day(rng):%Y%m%d}" + re.sub(
        "[A9]", lambda one: rng.choice("ABCDEFGHJKLMNPRSTU" if one[0] == "A" else "0123456789"), form
    )


def _misread(number: str, rng: random.Random) -> str:
    """Some digits as letters that look like them, as a reader of pixels or a typist has them."""
    swaps = {"0": "OoQD", "1": "Il|", "2": "Zz", "5": "Ss", "6": "Gb", "7": "T", "8": "B", "9": "gq"}
    places = rng.sample([place for place, digit in enumerate(number) if digit in swaps], 3)
    return "".join(
        rng.choice(swaps[digit]) if place in places else digit for place, digit in enumerate(number)
    )


FORMATS: dict[str, Callable[[random.Random], str]] = {
    "personal number": _personal,
    "coordination number": lambda rng: _personal(rng, 60),
    "interim number": lambda rng: f"{_day(rng):%y%m%d}{rng.choice('TRSUWXJKLMN')}{rng.randrange(1000):03}",
    "reserve number, Stockholm": _stockholm,
    "reserve number, Västra Götaland": lambda rng: _lettered(rng, rng.choice(("9M99", "9K99", "9X99"))),
    "reserve number, Värmland": lambda rng: _lettered(rng, "AA9A"),
    "reserve number, Skåne": lambda rng: _lettered(rng, rng.choice(("A999", "99A9", "9A99"))),
    "reserve number, Inera": _inera,
    "reserve number, national": _national,
    "personal number, misread": lambda rng: _misread(_personal(rng), rng),
}


def _split(text: str, sign: str) -> str:
    return f"{text[:-4]}{sign}{text[-4:]}"


SPELLINGS: tuple[Callable[[str, random.Random], str], ...] = (
    lambda text, rng: text,
    lambda text, rng: _split(
        text, rng.choice(("-", "+", " ", "–", "—", " - ", "\u00a0", "\u200b", "\u2212", ".", "/"))
    ),
    lambda text, rng: (
        _split(
            f"{text[:-8]}{(s := rng.choice('-. /'))}{text[-8:-6]}{s}{text[-6:-4]}{s}{text[-4:]}".replace(
                s * 2, s
            ),
            "",
        )
        if len(text) == 12
        else text
    ),
    lambda text, rng: " ".join(text),
)
AROUND = (
    "{}",
    "pnr {}",
    "pnr{}",
    "({})",
    "pat {}, remitterad",
    "T1 ax {}",
    "id_{}_x",
    "Personnummer: {}.",
    "{}\n",
)


def random_digits(rng: random.Random, count: int) -> tuple[int, int]:
    """Digit strings that are nobody's number, and those of them that are left alone."""
    alone = 0
    for _ in range(count):
        text = "".join(rng.choices("0123456789", k=rng.randrange(3, 17)))
        alone += not list(swedish_numbers(f"prov {text} taget"))
    return alone, count


def known_identifiers(cleaner: TextCleaner, rng: random.Random, count: int) -> dict[str, tuple[int, int]]:
    """Identifiers planted in the spellings that people use, and those gone; by kind."""
    given, family = faker_names()
    figures: dict[str, list[int]] = {}
    for _ in range(count):
        first, last, number, day = rng.choice(given), rng.choice(family), _personal(rng), _day(rng)
        accession, phone = f"SEACC{rng.randrange(10**6):06}", f"070-17406{rng.randrange(5, 100):02}"
        known = Known(
            names=(f"{last}^{first}",),
            ids=(number, accession),
            dates=(f"{day:%Y%m%d}",),
            telephones=(phone,),
            places=("Påhittsgatan 47^Exempelby",),
        )
        digraphs = str.maketrans({"å": "aa", "ä": "ae", "ö": "oe", "Å": "Aa", "Ä": "Ae", "Ö": "Oe"})
        spelled = {
            "name": (
                f"{first} {last}", f"{last}, {first}", last.upper(), first.lower(), f"{last}s", f"{first}s",
                fold(last), last.translate(digraphs), f"{first[0]}. {last}", f"{first}{last}", f"{first}_{last}",
                f"{first[0]}.{last[0]}.", " ".join(last.upper()), f"{first}.{last}",
            ),
            "number": (
                number, number[2:], _split(number, "-"), _split(number[2:], "-"), _split(number, "–"), number[-4:],
                " ".join(number),
            ),
            "accession": (accession, accession.lower(), f"{accession[:5]} {accession[5:]}", _split(accession, "-")),
            "telephone": (
                phone, phone.replace("-", ""), "+46 " + phone[1:].replace("-", " "), phone.replace("-", " / "),
            ),
            "date": tuple(ways_to_write(day)),
            "place": ("Påhittsgatan 47", "påhittsgatan", "Pahittsgatan", "EXEMPELBY"),
        }  # fmt: skip
        for kind, ways in spelled.items():
            way = rng.choice(ways)
            text = f"Patienten {way} undersökt."
            left = re.sub(r"\[[a-z.]+\]|patienten|undersokt|\W|_", "", fold(cleaner(text, known)))
            hits = figures.setdefault(kind, [0, 0])
            hits[0] += not left
            hits[1] += 1
            if left and figures and "--show" in sys.argv:
                print("  left:", kind, repr(text), repr(cleaner(text, known)))
    return {kind: (hits[0], hits[1]) for kind, hits in figures.items()}


def survival(cleaner: TextCleaner, sentences: list[str]) -> tuple[int, int, list[str]]:
    """Words of sentences that identify nobody, those that stay, and some that don't."""
    stayed = there = 0
    gone: list[str] = []
    for sentence in sentences:
        before, after = words_of(sentence), words_of(re.sub(r"\[[a-z.]+\]", "", cleaner(sentence)))
        there += before.total()
        stayed += (before & after).total()
        gone += list((before - after).elements())
    return stayed, there, gone


def rows(arguments: argparse.Namespace) -> Iterator[tuple[str, int, int, float]]:
    """What is measured: a name, hits, of how many, the target as a share."""
    rng = random.Random(4)
    tokens = load_vocabulary(_CHECKOUT / "data_contracts" / "vocabularies" / "descriptor_tokens.csv").terms
    cleaner = TextCleaner(Words(tokens))
    for kind, (hits, of) in number_formats(rng, arguments.count).items():
        yield kind, hits, of, 1.0
    yield "random digits left alone", *random_digits(rng, 10 * arguments.count), 0.99
    for kind, (hits, of) in known_identifiers(cleaner, rng, arguments.count).items():
        yield f"known {kind}", hits, of, 1.0
    for templates, kept in ((WITH_NAMES, ""), (HELD_OUT_WITH_NAMES, ", held-out sentences")):
        shown = 30 * arguments.show
        for kind, (hits, of) in unknown_names(cleaner, rng, templates, arguments.count, shown).items():
            yield f"unknown names, {kind}{kept}", hits, of, 0.95
    for sentences, kept in ((HARMLESS, ""), (HELD_OUT, ", held-out sentences")):
        stayed, there, gone = survival(cleaner, sentences)
        if arguments.show:
            print("  gone:", gone)
        yield f"harmless words that stay{kept}", stayed, there, 0.9
    started = time.perf_counter()
    words = words_of(" ".join(HARMLESS)).total()
    for _ in range(20):
        cleaner(" ".join(HARMLESS))
    print(f"{20 * words / (time.perf_counter() - started):,.0f} words a second")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="plants of each kind")
    parser.add_argument("--show", action="store_true", help="show what is left")
    failed = False
    print("| | | of | % | target |\n|---|---|---|---|---|")
    for name, hits, of, target in rows(parser.parse_args()):
        print(f"| {name} | {hits:,} | {of:,} | {100 * hits / of:.2f} | {100 * target:.0f} |")
        failed |= hits < target * of
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
