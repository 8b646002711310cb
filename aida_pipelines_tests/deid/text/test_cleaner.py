"""Prose without what identifies: names by place and by not being a word, numbers, dates; what describes stays."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.deid.text.cleaner import TextCleaner
from aida_pipelines.deid.text.dates import ways_to_write
from aida_pipelines.deid.text.found import Found
from aida_pipelines.deid.text.known import Known
from aida_pipelines.deid.text.words import Words


@pytest.fixture(scope="module")
def cleaner(tokens):
    return TextCleaner(Words(tokens))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Patienten Vobrina Tjelvander mår bra.", "Patienten [name] mår bra."),
        ("Vobrina Tjelvander mår bra.", "[name] mår bra."),
        ("Björk söker för yrsel.", "[name] söker för yrsel."),
        ("Inga metastaser. Per oral kontrast.", "Inga metastaser. Per oral kontrast."),
        ("Dr Ring har granskat.", "Dr [name] har granskat."),
        ("Remittent: Berg, Stig", "Remittent: [name]"),
        ("Bedömt av överläkare A. Sten och ST-läkare Lind.", "Bedömt av överläkare [name] och ST-läkare [name]."),
        ("Opererad av von Tjelvander.", "Opererad av [name]."),
        ("Mvh\nLars Öhman, överläkare", "Mvh\n[name], överläkare"),
        ("Inget nytt. /LÖ", "Inget nytt. /[name]"),
        ("Hon bor i Ekberga.", "Hon bor i [name]."),
        ("Anna-Karin Å. ringde.", "[name]. ringde."),
        ("vobrina björk har ont.", "[...] [name] har ont."),
        ("TJELVANDER: HÖGER KNÄ NORMALT", "[name]: HÖGER KNÄ NORMALT"),
        ("Misstänkt Crohns sjukdom.", "Misstänkt Crohns sjukdom."),
        ("Dr Crohn ringde.", "Dr [name] ringde."),
        ("DT Thorax den 12 mars 2024.", "DT Thorax den [date]."),
        ("Telefon 070-174 06 11 eller vobrina@exempel.invalid.", "[contact] eller [contact]."),
        ("Pnr 19121212-1212 saknas.", "Pnr [number] saknas."),
        ("94-årig kvinna, maken är 101 år, sonen 64 år.", "90-årig kvinna, maken är 90 år, sonen 64 år."),
        ("Nittiofyraårig man. Ålder: 97.", "90 man. Ålder: 90."),
        ("Ont sedan mars, född -31.", "Ont sedan [date]."),
        ("Granskad KF och MR.", "Granskad [name] och MR."),
        ("UNDERSÖKT SOM OVAN, AV TJELVANDER", "UNDERSÖKT SOM OVAN, AV [name]"),
        ("Kort 1234 5678 gäller.", "Kort [number] gäller."),
        ("Prov 123456 taget.", "Prov [number] taget."),
    ],
)  # fmt: skip
def test_what_identifies_goes_and_what_describes_stays(cleaner, text, cleaned):
    assert cleaner(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "Lungparenkymet är utan förtätningar.",
        "I segment 6 ses en 12 x 14 mm stor förändring.",
        "T1 ax +Gd, b1000 och ADC.",
        "Blodtryck 140/80, saturation 97 %.",
        "MR Hjärna: ventrikelsystemet vidgat, Fazekas grad 2.",
        "HÖGER KNÄ: NORMALT.",
        "The liver is enlarged, without focal lesions.",
        "",
    ],
)
def test_a_description_stays_as_it_is(cleaner, text):
    assert cleaner(text) == text


@pytest.mark.parametrize(
    "sentence",
    [
        "Patienten heter A n n a.",
        "Potilas kertoi olleensa kuumeessa kaksi viikkoa.",
        "Пациент жалуется на боль.",
        "患者です。",
        "v o b r i n a",
    ],
)
def test_a_sentence_that_cannot_be_made_safe_goes_and_its_neighbours_stay(cleaner, sentence):
    assert cleaner(f"Ingen fraktur. {sentence} Ingen blödning.") in (
        "Ingen fraktur. Ingen blödning.",
        "Ingen fraktur. ",  # without a full stop of its own it takes what follows with it
        "Ingen fraktur.",
    )


def test_an_ordinary_word_goes_where_it_is_known_to_be_a_name(cleaner):
    known = Known(names=("Sten^Axel",))
    assert cleaner("Axel har sten i njuren och ont i höger axel.", known) == (
        "[name] har [name] i njuren och ont i höger [name]."
    )


def test_a_recogniser_can_be_plugged_in(tokens):
    def hospital_slang(text):
        start = text.find("gula huset")
        return [Found(start, start + 10, "place")] if start >= 0 else []

    cleaner = TextCleaner(Words(tokens), recognisers=(hospital_slang,))
    assert cleaner("Ligger i gula huset sedan operationen.") == "Ligger i [place] sedan operationen."


@given(st.text(max_size=80))
def test_any_text_is_bearable_and_no_line_is_added(cleaner, text):
    assert cleaner(text).count("\n") <= text.count("\n") + text.count("\r")


@given(
    st.dates(date(1890, 1, 1), date(2039, 12, 31)), st.sampled_from(["Gjordes {} här.", "Sedan {}", "({})"])
)
def test_no_date_is_left_however_it_is_written(cleaner, day, around):
    for form in ways_to_write(day):
        left = cleaner(around.format(form))
        assert f"{day.year}" not in left, form
        assert sum(map(str.isdigit, left)) < 4, form


MADE_UP = ["vob", "tjelv", "krusk", "bjerv", "fjorv", "mjuv", "drusk", "knajv", "jomk"]
SYLLABLES = st.lists(st.sampled_from(MADE_UP), min_size=2, max_size=3).map("".join)


@given(SYLLABLES, SYLLABLES)
@pytest.mark.parametrize(
    "sentence",
    [
        "Patienten {} söker akut.",
        "{} söker akut.",
        "Kontakta {}.",
        "Rond med {}, som håller med.",
        "MR hjärna {}",
    ],
)
def test_a_name_that_nobody_has_heard_of_goes_wherever_it_stands(cleaner, sentence, first, last):
    for name in (
        f"{first.title()} {last.title()}",
        f"{last.upper()} {first.upper()}",
        first,
        f"{last.title()}s",
    ):
        left = cleaner(sentence.format(name)).casefold()
        assert first not in left or first not in name.casefold()
        assert last not in left or last not in name.casefold()
