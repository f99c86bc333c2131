/* t_scan_language.c - tests scan/scan_language.c: foreign text with and without accents is caught,
 * English is not, however it is typed. On clinc150 the share of false alarms is limited. */
#include "base/arena.h"
#include "base/file.h"
#include "base/rand.h"
#include "scan/scan_language.h"
#include "scan/scan_words.h"
#include "test.h"

static const str english[] = {{"en", 2}};

static const char *const foreign[] = {
    "Wo ist mein Paket",
    "Ich brauche eine Kopie von meinem Vertrag",
    "Wie melde ich einen Schaden",
    "meine Karte wurde gestohlen",
    "bitte rufen Sie mich an",
    "Wann habt ihr offen",
    "K\u00f6nnen Sie mir die Unterlagen schicken?",
    "Quiero cancelar mi poliza",
    "cuanto cuesta el seguro del coche",
    "donde esta mi tarjeta nueva",
    "necesito hablar con una persona",
    "tuve un accidente ayer",
    "\u00bfD\u00f3nde est\u00e1 mi p\u00f3liza?",
    "Je veux annuler mon contrat",
    "comment changer mon adresse",
    "combien coute une assurance auto",
    "ou est ma carte bancaire",
    "mon chien est malade",
    "pouvez vous me rappeler demain",
    "Vorrei cambiare indirizzo",
    "dove trovo la mia polizza",
    "ho perso la carta di credito",
    "come faccio a disdire",
    "quanto costa aggiungere un conducente",
    "Quero cancelar o meu seguro",
    "onde esta o meu cartao",
    "quanto custa por mes",
    "bati com o carro ontem",
    "preciso de uma segunda via do contrato",
    "Ik wil mijn verzekering opzeggen",
    "waar is mijn nieuwe pas",
    "hoeveel kost dit per maand",
    "kunt u mij terugbellen",
    "mijn auto is gestolen",
    "Chce zrezygnowac z polisy",
    "gdzie jest moja karta",
    "ile kosztuje ubezpieczenie samochodu",
    "jak zmienic adres",
    "zgubilem bagaz na lotnisku",
    "Policemi iptal etmek istiyorum",
    "kartim nerede",
    "ne kadar oder",
    "adresimi nasil degistirebilirim",
    "Chci zrusit smlouvu",
    "kde je moje karta",
    "kolik stoji pojisteni auta",
    "Jag vill avsluta min forsakring",
    "var ar mitt nya kort",
    "hur mycket kostar det",
    "Jeg vil gerne opsige min forsikring",
    "hvor er mit nye kort",
    "min bil er blevet stjalet",
    "\u041a\u0430\u043a \u043c\u043d\u0435 \u0441\u043e\u043e\u0431\u0449\u0438\u0442\u044c",
    "\u30d1\u30b9\u30ef\u30fc\u30c9\u3092\u5fd8\u308c\u307e\u3057\u305f",
    "\u6211\u7684\u5361\u4e22\u4e86",
    "\uce74\ub4dc\ub97c \uc783\uc5b4\ubc84\ub838\uc5b4\uc694",
    "\u03a0\u03bf\u03cd \u03b5\u03af\u03bd\u03b1\u03b9",
    "\u0623\u064a\u0646 \u0628\u0637\u0627\u0642\u062a\u064a",
};

static const char *const at_home[] = {
    "hw do i cancle my polcy",
    "wher is my crad",
    "i wnat to chnage adress",
    "plz snd docs",
    "cn u call me bak",
    "lost fone",
    "cant log in pasword forgoten",
    "whats teh excess",
    "my dg is sik",
    "insurnace for vann",
    "no claims bonus proof",
    "sos",
    "hello",
    "ok",
    "",
    "?!",
    "12345",
    "claim status",
    "windscreen",
    "where's my card",
    "how do you say hello in spanish",
    "translate where is the bathroom to german",
    "weather in los angeles",
    "table at La Trattoria for two",
    "my surname is Mueller, how do I change it",
    "caf\u00e9 in Z\u00fcrich declined my card",
    "how's traffic en route to san jose",
    "uber charged me twice",
    "medicine for my dog",
    "car hire plus",
    "does the policy cover a fianc\u00e9",
    "IBAN DE89 3704 0044 0532 0130 00",
};

static void foreign_text_is_caught(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (!scan_language_is_foreign(str_from(foreign[i]), english, 1))
            fail_msg("taken for English: %s", foreign[i]);
}

static void english_is_not_foreign(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof at_home / sizeof *at_home; i++)
        if (scan_language_is_foreign(str_from(at_home[i]), english, 1))
            fail_msg("taken for %s: %s", scan_language_of(str_from(at_home[i])).code, at_home[i]);
}

static void a_task_may_know_other_languages(void **state) {
    (void)state;
    const str german[] = {{"de", 2}}, both[] = {{"en", 2}, {"de", 2}}, russian[] = {{"ru", 2}};
    str text = STR("Wo ist mein Paket, ich warte schon sehr lange");
    assert_true(scan_language_is_foreign(text, english, 1));
    assert_false(scan_language_is_foreign(text, german, 1));
    assert_false(scan_language_is_foreign(text, both, 2));
    assert_true(scan_language_is_foreign(STR("where is my parcel please"), german, 1));
    assert_false(scan_language_is_foreign(STR("where is my parcel please"), both, 2));
    str cyrillic = STR("\u0433\u0434\u0435 \u043c\u043e\u044f \u043a\u0430\u0440\u0442\u0430");
    assert_false(scan_language_is_foreign(cyrillic, russian, 1));
    assert_string_equal(scan_language_of(cyrillic).code, "cyr");
    assert_string_equal(scan_language_of(text).code, "de");
}

static void words_are_folded(void **state) {
    (void)state;
    scan_words w;
    scan_words_of(&w, STR("I don't, l'auto \u00c9T\u00c9-stra\u00dfe \u0141\u00f3d\u017a 3.50"));
    const char *const want[] = {"i", "dont", "l", "auto", "ete", "strasse", "lodz", "3", "50"};
    assert_int_equal(w.n, sizeof want / sizeof *want);
    for (size_t i = 0; i < w.n; i++) assert_string_equal(w.words[i].text, want[i]);
    assert_int_equal(w.words[1].at, 2);
    assert_int_equal(w.words[1].end, 7);
}

static void any_bytes_are_fine(void **state) {
    (void)state;
    static char bytes[6000];
    rand_stream r = {5, 0};
    for (int round = 0; round < 300; round++) {
        size_t n = (size_t)rand_next_below(&r, sizeof bytes);
        for (size_t i = 0; i < n; i++) bytes[i] = (char)rand_next(&r);
        scan_language_of((str){bytes, n});
    }
}

static void few_false_alarms_on_clinc150(void **state) {
    (void)state;
    arena a;
    fail f;
    str text;
    arena_init(&a, 0);
    assert_ok(file_read(&a, test_data("clinc150/data_full.json"), 0, &text, &f), &f);
    size_t rows = 0, alarms = 0;
    /* each row is written as  "text",  on a line of its own; labels are followed by no comma */
    while (text.p) {
        str line = str_trim(str_cut(&text, '\n'));
        if (line.n < 4 || line.p[0] != '"' || line.p[line.n - 1] != ',') continue;
        rows++;
        alarms += scan_language_is_foreign(str_slice(line, 1, line.n - 2), english, 1);
    }
    print_message("clinc150: %zu of %zu taken for another language\n", alarms, rows);
    assert_true(rows > 20000 && alarms * 200 < rows);
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_text_is_caught),
        cmocka_unit_test(english_is_not_foreign),
        cmocka_unit_test(a_task_may_know_other_languages),
        cmocka_unit_test(words_are_folded),
        cmocka_unit_test(any_bytes_are_fine),
        cmocka_unit_test(few_false_alarms_on_clinc150),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
