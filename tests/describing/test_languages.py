from finetune.describing import languages


def test_letters_are_counted_by_script():
    texts = ["Anna: да!", "γ 日本 12"]
    assert languages.scripts(texts) == {"latin": 4, "cyrillic": 2, "greek": 1, "cjk": 2}


def test_languages_of_texts_and_what_is_not_clear():
    texts = [
        "Could you please send me the report by tomorrow morning? I need it for the meeting.",
        "Kannst du mir bitte bis morgen früh den Bericht schicken? Ich brauche ihn dringend.",
        "12 34",
        "",
    ]
    assert languages.languages(texts) == {"en": 1, "de": 1, languages.NOT_CLEAR: 2}
