/* scan_language.c - see scan_language.h.
 *
 * Letters outside Latin: the script decides. Latin: each word is looked up, accents off, in one
 * list of frequent words per language; a word that several lists have counts for each but less; a
 * word in no list may end, begin or contain what is typical for a language and then counts a
 * little; letters that only some languages have count on top. English is one of the languages, with
 * a longer list, so mistyped English scores low everywhere rather than high elsewhere.
 *
 * Foreign is only what scores well and clearly better than English. The tables are ours, written
 * without accents because people write without accents. */
#include "scan/scan_language.h"

#include "scan/scan_words.h"

#include <math.h>
#include <string.h>

enum { LANGUAGES = 12 };
#define WORD_WEIGHT 2.0   /* a word of English or of others, not both */
#define SHARED_WEIGHT 0.7 /* a word of both, or a single letter */
#define PART_WEIGHT 0.6   /* a typical part of an unknown word */
#define LETTER_WEIGHT 1.2 /* a letter that few languages have */
#define SURE_SCORE 2.0
#define SURE_LEAD 1.2
#define SURE_PER_WORD 0.7 /* one foreign name in a sentence is not a foreign sentence */

typedef struct language {
    char code[4];
    const char *words; /* " a b c " */
    const char *parts; /* "-xx" ends with, "xx-" begins with, "xx" contains */
} language;

static const language languages[LANGUAGES] = {
    {"en",
     " account add ago al ai amount att bare ben bill book born called cards cash cat charge "
     "charged "
     "checking child chi children con credit dan date deposit die dine dinner doe dog don door "
     "drive due el en "
     "eu explain fare fee fees flight food friend fun funds gas goodbye gun ham holiday husband "
     "jake jim la las "
     "left los luggage man meaning men mi morning night non oil ons op park per pet photo pin plan "
     "plus rate refund "
     "rent report room route schedule score sea sedan size son song speak spell spanish french "
     "german dutch "
     "polish italian english russian language statement stolen tack ten til times top transaction "
     "transfer "
     "travel tried try trying turn uber van vacation war water weather week wife ya "
     "a about after again all already also am an and another any anybody anyone anything are as "
     "ask at away "
     "back bad be because been before being best better big both bought break bring but buy by "
     "call came can "
     "cancel cannot cant car card change check claim come cost could couldnt cover day days did "
     "didnt different "
     "do does doesnt doing done dont down each else email end enough even ever every everything "
     "far few find "
     "first for found free from get gets getting give go goes going gone good got great had happen "
     "happened "
     "has have havent having he hello help her here hey hi him his home hour house how however i "
     "id if ill im "
     "in insurance into is isnt it its ive job just keep kind know last later leave let lets like "
     "list little "
     "live long look looking lost lot love made make many may maybe me mean might mine money month "
     "more most "
     "much must my myself name need needs never new next nice no not nothing now number of off old "
     "on once one "
     "only open or order other our out over own paid pay payment people phone place play please "
     "policy "
     "possible price put question really right said same say see send set she should show since so "
     "some "
     "someone something soon start still stop such sure take talk tell than thank thanks that "
     "thats the their "
     "them then there these they thing things think this those through till time to today told "
     "tomorrow too "
     "took translate try two under until up us use used using very wait want wanted was wasnt way "
     "we week "
     "well went were what whats when whens where wheres which while who whos whose why will wish "
     "with without "
     "wont word work working would wouldnt write wrong year years yes yesterday yet you your youre "
     "yours ",
     "-ing -tion -ould -ight -ness -ment -ough wh- th- kn- -ck -ful -less -ed oo sh-"},
    {"de",
     " gekostet kostet kosten kaputt gestohlen verloren aber alle allem alles als also am an "
     "andere auch auf aus bei beim bekomme bekommen bezahlen "
     "bin bis bist "
     "bitte brauche da damit danke dann darf darum das dass dein dem den denn der des dich die "
     "dies diese diesem "
     "diesen dieser dir doch du durch ein eine einem einen einer eines er es etwas euch fur ganz "
     "geht geld gibt "
     "guten haben habe hallo hat hatte heute hier ich ihm ihn ihnen ihr ihre ihren im immer in ist "
     "ja jede jetzt "
     "kann kannst kein keine keinen konnen konnte lange man mehr mein meine meinem meinen meiner "
     "mich mir mit "
     "mochte muss mussen nach nicht nichts noch nun nur ob oder ohne schon sehr sein seine sich "
     "sie sind so soll "
     "sollte uber um und uns unser unsere unter viel vom von vor wann war warum was wegen weil "
     "welche welcher "
     "wenn wer werden wie wieder wieviel will wir wird wo wohin wollen wurde zu zum zur zwei uhr "
     "nachste ",
     "sch -ung -lich -keit -heit ver- ge- -ieren pf tz -isch zw -chen -eit ue oe -ische bei- ein-"},
    {"fr",
     " bonsoir coute annuler changer jai ai alors apres as au aucun aujourdhui aussi autre aux "
     "avant avec avez avoir avons bonjour "
     "bien car ce cela "
     "ces cet cette chez combien comme comment dans de deja demain depuis des dois doit donc du "
     "elle elles en "
     "encore entre est et etait etes etre eu faire fait faut fois font ici il ils jai je jusqua la "
     "le les leur "
     "lui ma mais maintenant mais merci mes moi moins mon ne ni non nos notre nous on ont ou par "
     "parce pas "
     "pendant peu peut peux plus plusieurs pour pourquoi pouvez pouvons prendre puis quand que "
     "quel quelle "
     "quelles quels qui quoi rien sa sans savoir ses si sil sont sous souhaite suis sur ta tes toi "
     "ton tous tout "
     "toute toutes tres tu un une va vais veut veux voici votre voudrais vous vos ",
     "-eaux -eau -aux -ement -eur -euse -ique qu- -oir -ais -ait -ons -ez oui -aire -tte -elle "
     "-eux -oire"},
    {"es",
     " cambiar cancelar perdi tarjeta cuenta seguro coche adonde a ahora al algo alguien algun "
     "alguna antes aqui asi aun aunque ayer bien buenas "
     "buenos cada casi "
     "como con contra cual cuales cuando cuanta cuanto cuantos cuesta de del desde despues dia "
     "dias dinero donde "
     "dos durante el ella ellos en entre era es esa ese eso esta estaba estan estas este esto "
     "estos estoy fue "
     "gracias ha hace hacer hacia han hasta hay he hola hoy la las le les lo los mas me mejor "
     "menos mi mis mucho "
     "muy nada necesito ni no nos nosotros nuestra nuestro o otra otro para pero poco por porque "
     "puede puedo "
     "pueden que quien quiere quiero quisiera se sea ser si sido siempre sin sobre solo son soy su "
     "sus tambien "
     "tan tarde te tenemos tener tengo tiene tienen todo todos tu tus un una uno usted ustedes va "
     "veces voy y ya "
     "yo ",
     "-cion -ciones -mente -ando -iendo -idad -ado -ados -ida -aje -illa -ero -eria -arlo -amos "
     "ll- -anza -ues"},
    {"it",
     " faccio perso costa cambiare disdire cane abbiamo a adesso ai al alla alle altro anche "
     "ancora anno aperto avere avete bisogno "
     "buongiorno c che chi "
     "ci ciao come con cosa cosi da dai dal dalla dei del dell della delle dello deve devo di dopo "
     "dove due e ed "
     "essere fa fare fatto fino fra gia giorni giorno gli grazie ha hai hanno ho i il in io la le "
     "lei lo loro lui "
     "ma mai mi mia mie miei mio molto ne nei nel nella nessuno niente no noi non nostro o oggi "
     "ogni per perche "
     "piu poi posso possono potete prima puo qual quale quali quando quanti quanto quanta quella "
     "quello questa "
     "questi questo qui sei senza sia si sia sono sta stato sto su sua sue sul sulla suo tra tutti "
     "tutto un una "
     "uno vi voglio volte vorrei vostro ",
     "-zione -zioni gli -ezza -mento -are -ere -ire -ato -ati -ata cch ggi zz -ta -tti -tto -olo "
     "-ino -ente "
     "-ello -etta chi"},
    {"pt",
     " custa perdi carro cartao conta agora a ainda algo algum alguma amanha ao aos apenas aqui as "
     "assim ate bem boa bom cada com "
     "como contra "
     "da das de dela dele depois desde deve devo dia dias dinheiro do dois dos e ela ele eles em "
     "entao entre era "
     "essa esse esta estao estar este estou eu faco falar fazer foi ha hoje isso isto ja la lhe "
     "mais mas me "
     "melhor menos meu meus minha minhas muito muita na nada nao nas nem no nos nossa nosso num "
     "numa o obrigado "
     "obrigada ola onde ontem os ou outra outro para pela pelo pode podem porque posso pouco pra "
     "precisa preciso "
     "qual quais quando quanto quantos que quem quero queria se sem sempre ser seu seus sim so "
     "sobre sou sua "
     "suas tambem tanto tao tem tenho ter teu tinha tive todos tudo um uma umas uns vai voce voces "
     "vou ",
     "-cao -coes nh lh -mente -ando -endo -indo -dade -agem -eira -eiro -ado -ar -ei -ou -ois -ao"},
    {"nl",
     " kost gestolen wijzigen opzeggen verzekering betalen aan al alleen als alstublieft altijd "
     "ander andere bedankt ben bij bijna binnen dan dank dat "
     "de deze die "
     "dit doe doen door dus een eens en er erg euro gaan gaat geen geld goed goede graag haar had "
     "hallo heb "
     "hebben hebt heeft heel het hier hij hoe hoeveel hoelang hun ik in is ja je jij jou jouw "
     "jullie kan kon "
     "krijg krijgen kunnen kunt kwijt maar mag maken me meer men met mij mijn moet moeten morgen "
     "na naar "
     "niet niets nieuwe nog nooit nu of om omdat onder ons onze ook op over samen sinds te tegen "
     "toch toen tot "
     "twee uit uur uw van vandaag veel voor vraag waar waarom wanneer want waren wat welke werd "
     "werken wel "
     "wie wij wil willen word worden wordt ze zelf zich zij zijn zo zonder zou ",
     "ij aa uu -en ee- sch -heid -lijk -tje -ing ver- ge- -eren oe -achten zw- gr ui -ieuw -eid"},
    {"pl",
     " kosztuje zmienic zgubilem zgubilam ubezpieczenie samochod samochodu konto karta moja ale "
     "albo bardzo bez bo byc byl byla bylo by chce chcialbym chcialabym ci cie co czy czego "
     "czas dla do dobry "
     "dzien dzis dzisiaj dzieki gdy gdzie go i ich ile im ja jak jaka jaki jakie jako je jego jej "
     "jest jestem "
     "jestesmy jezeli jesli jeszcze juz kiedy kto ktora ktore ktory lub ma mam maja mi mial mnie "
     "moge moja moje "
     "mozna moze moj mojej mojego musi musze my na nad nam nas nasz nic nie nigdy nim niz o od on "
     "ona oni oraz "
     "po pod poniewaz potrzebuje prosze przed przez przy sa sie sobie swoj ta tak taki tam te tego "
     "tej ten teraz "
     "to trzeba tu tutaj ty tylko w wasz was we witam wiec wszystko z za zawsze ze zeby zl ",
     "cz sz rz -ow -ego -ych -nie -osc prz- -owac -ymi -acji -enia -ania dz -aja -ski -ska szcz "
     "-iem wy- -uje"},
    {"tr",
     " istiyorum kartim odeme iptal yapmaliyim calindi degistirebilirim acaba ama ancak araba "
     "artik az bana bazi ben beni benim bir biraz biri biz bize bizim bu "
     "buna bunu burada "
     "cok cunku da daha de defa degil diye dun en evet fakat gibi gore gun hangi hayir hem hep her "
     "hic icin ile "
     "ilgili istiyorum ise kac kadar karsi kim kime lutfen merhaba mi mu nasil ne neden nerede "
     "nereye niye o "
     "olan olarak oldu olur olmak on ona onlar onu orada para peki sadece saat sana sen seni senin "
     "siz size "
     "sizin sonra su tesekkurler tum var ve veya ya yani yapabilirim yapmak yarin yeni yok zaman "
     "miyim misiniz ",
     "-yorum -iyor -lar -ler -mek -mak -dir -mis -acak -ecek -iyorum -siniz -nin -nun -lik -bilir "
     "-miyim -undan "
     "-inden -ime -imi -umu"},
    {"cs",
     " chci chtel chtela chtelbych zrusit zmenit zmenim ztratil ztratila stoji karta smlouvu "
     "pojisteni aby a ahoj ale ani asi az bez bude budu by byl byla bylo byt co dekuji den dnes do "
     "dobry "
     "drive dve ja jak "
     "jaka jake jaky je jeho jeji jejich jen jeste jestli ji jich jim jiz jsem jsi jsme jsou jste "
     "k kam kde kdo "
     "kdy kdyz ke kolik ktera ktere ktery mam mame mate me mezi mi mit mne mnou moc mohu moje moji "
     "muj muzu "
     "muzete musim na nad nam nas nasi ne nebo nejak nemam neni nez nic o od on ona oni po pod "
     "podle pokud potom "
     "potrebuji prave pred pres pri pro proc prosim protoze s se si sice sve svuj ta tady tak take "
     "tam tato tedy "
     "ten tento to tohle toho tuto tu uz v vam vas vase ve vsak vsechno z za ze zda ",
     "-ovat -ost -ani -eni -ych -eho -emu pri- pre- hl- -uje -ujte -nout -ych -oval -acka -ticke "
     "chc- vs- -tim"},
    {"sv",
     " kostar forsakring avsluta tappat stulen bil aldrig alla allt alltid andra att av bara bli "
     "blir bra da dag dar de dem den denna det "
     "detta dig din dina "
     "du eftersom efter eller en ett fick finns for fore fran fram ga gar gor hade han har hej "
     "hela henne hjalp "
     "hon hur i idag igen ingen inget inte jag kan kanske kommer kostar kunna lang lange man mig "
     "min mina mitt "
     "mot mycket nar nagon nagot ni nu nya nasta och ocksa om oss over pa pengar sa sedan sig sin "
     "ska skulle "
     "som snalla tack till tva under upp ut utan vad vara varfor var varit vara vem vi vid vilja "
     "vilken vill "
     "vilket ar ",
     "-ning -ligt -arna -erna -ande -het forsak- -ingen -aren skr- -igt sj- -orna -ssa fj- -ar "
     "-or"},
    {"da",
     " koster opsige forsikring bil blevet stjalet af aldrig alle alt altid at bare blev bliver da "
     "dag de dem den denne der deres det dette "
     "dig din dine "
     "dog du efter eller en er et far fik for fordi fra godt gor gore ham han har havde hej hele "
     "hendes her "
     "hun hvad hvem hver hvilken hvis hvor hvordan hvorfor hvornar i idag igen ikke ind ingen "
     "intet ja jeg "
     "jer kan koster kunne lige maske man mange med meget men mig min mine mit mod mon mellem nar "
     "ned nej nogen "
     "noget nu ny og ogsa om op os over pa penge sadan saa sig sin skal skulle som tak til to ud "
     "uden under "
     "var ved venligst vi vil ville vaere vores jeres vaeret jeg ",
     "-ning -erne -ende -hed -else -elser hv- kj- -eligt bj- -aet -ede -sker forsik- -ingen"},
};

/* Letters that point to languages: UTF-8 letters, then the codes they count for. */
static const struct {
    const char *letters, *codes;
} letter_hints[] = {
    {"\u00df", "de"},
    {"\u00e4", "de sv"},
    {"\u00f6", "de sv tr"},
    {"\u00fc", "de tr"},
    {"\u00f1\u00bf\u00a1", "es"},
    {"\u00e3\u00f5", "pt"},
    {"\u0142\u017c\u0105\u0119\u015b\u017a\u0107\u0144", "pl"},
    {"\u0159\u016f\u011b\u0161\u010d\u017e", "cs"},
    {"\u011f\u0131\u015f", "tr"},
    {"\u00e5", "sv da"},
    {"\u00f8\u00e6", "da"},
    {"\u00e8\u00f9", "fr it"},
    {"\u00ea\u00ee\u0153", "fr"},
    {"\u00f2\u00ec", "it"},
};

/* Scripts by range of code points, and the languages that are written in them. */
static const struct {
    uint32_t first, last;
    const char *code, *languages;
} scripts[] = {
    {0x0370, 0x03ff, "gre", " el "},
    {0x0400, 0x052f, "cyr", " ru uk bg sr mk be kk "},
    {0x0530, 0x058f, "arm", " hy "},
    {0x0590, 0x05ff, "heb", " he yi "},
    {0x0600, 0x06ff, "ara", " ar fa ur "},
    {0x0900, 0x097f, "dev", " hi mr ne "},
    {0x0980, 0x0dff, "ind", " bn pa gu or ta te kn ml si "},
    {0x0e00, 0x0e7f, "tha", " th "},
    {0x10a0, 0x10ff, "geo", " ka "},
    {0x3040, 0x30ff, "jpn", " ja "},
    {0x3400, 0x9fff, "han", " zh ja "},
    {0xac00, 0xd7af, "kor", " ko "},
    {0x1100, 0x11ff, "kor", " ko "},
};
enum { SCRIPTS = sizeof scripts / sizeof *scripts };

/* ---- scripts ---- */

static int script_of(uint32_t code) {
    for (int i = 0; i < SCRIPTS; i++)
        if (code >= scripts[i].first && code <= scripts[i].last) return i;
    return -1;
}

/* The script that has most letters, when the letters are mostly not Latin; -1 otherwise. */
static int script_main(str text) {
    size_t counts[SCRIPTS] = {0}, latin = 0, other = 0, at = 0;
    uint32_t code;
    char letters[3];
    int best = -1;
    while (scan_next(text, &at, &code)) {
        int script = script_of(code);
        if (script < 0) {
            latin += scan_fold(code, letters)[0] >= 'a';
            continue;
        }
        other++;
        counts[script]++;
        if (best < 0 || counts[script] > counts[best]) best = script;
    }
    /* Japanese is written with Han characters between kana */
    if (best >= 0 && strcmp(scripts[best].code, "han") == 0)
        for (int i = 0; i < SCRIPTS; i++)
            if (counts[i] && strcmp(scripts[i].code, "jpn") == 0) best = i;
    return other > latin ? best : -1;
}

/* ---- Latin ---- */

static void score_letters(str text, double scores[LANGUAGES]) {
    bool seen[sizeof letter_hints / sizeof *letter_hints] = {false};
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
        str letters = str_from(letter_hints[i].letters);
        size_t at = 0, from = 0;
        uint32_t code;
        while (!seen[i] && (from = at, scan_next(letters, &at, &code)))
            seen[i] = str_find(text, str_slice(letters, from, at)) != STR_INDEX_NONE;
        for (size_t k = 0; seen[i] && k < LANGUAGES; k++)
            if (strstr(letter_hints[i].codes, languages[k].code)) scores[k] += LETTER_WEIGHT;
    }
}

/* Does the word have a typical part? Parts are parted by blanks. */
static bool has_part(const scan_word *w, const char *parts) {
    str rest = str_from(parts), word = {w->text, w->n};
    while (rest.p) {
        str part = str_cut(&rest, ' ');
        bool ends = str_starts(part, STR("-")), begins = str_ends(part, STR("-"));
        str core = str_slice(part, ends, part.n - begins);
        if (core.n + 2 > word.n) continue;
        if (ends     ? str_ends(word, core)
            : begins ? str_starts(word, core)
                     : str_find(word, core) != STR_INDEX_NONE)
            return true;
    }
    return false;
}

/* languages[0] is English: the question is whether a text is that, less so which other it is. */
static void score_word(const scan_word *w, double scores[LANGUAGES]) {
    bool in[LANGUAGES], elsewhere = false;
    for (size_t i = 0; i < LANGUAGES; i++) {
        in[i] = scan_in(w, languages[i].words);
        elsewhere = elsewhere || (i > 0 && in[i]);
    }
    for (size_t i = 0; i < LANGUAGES; i++) {
        bool shared = i ? in[0] : elsewhere;
        if (in[i]) scores[i] += shared || w->n == 1 ? SHARED_WEIGHT : WORD_WEIGHT;
        if (!in[0] && !elsewhere && w->n > 3 && has_part(w, languages[i].parts))
            scores[i] += PART_WEIGHT;
    }
}

/* Languages that are told apart badly do not have to beat each other, only English. */
static scan_language judge(const double scores[LANGUAGES], size_t words) {
    size_t best = 0;
    for (size_t i = 1; i < LANGUAGES; i++)
        if (scores[i] > scores[best]) best = i;
    double rival = 0;
    for (size_t i = 0; i < LANGUAGES; i++)
        if (best == 0 ? i != 0 && scores[i] > rival : i == 0) rival = scores[i];
    scan_language out = {.score = scores[best] - rival};
    double needed = fmax(SURE_SCORE, SURE_PER_WORD * (double)words);
    out.known = scores[best] >= (best ? needed : SURE_SCORE) && out.score >= SURE_LEAD;
    if (scores[best] > 0) memcpy(out.code, languages[best].code, sizeof out.code);
    return out;
}

scan_language scan_language_of(str text) {
    if (text.n > SCAN_LANGUAGE_BYTES_MAX) text.n = SCAN_LANGUAGE_BYTES_MAX;
    int script = script_main(text);
    if (script >= 0) {
        scan_language out = {.score = SURE_SCORE, .known = true};
        memcpy(out.code, scripts[script].code, 4);
        return out;
    }
    scan_words words;
    double scores[LANGUAGES] = {0};
    scan_words_of(&words, text);
    for (size_t i = 0; i < words.n; i++) score_word(&words.words[i], scores);
    score_letters(text, scores);
    return judge(scores, words.n);
}

/* Is the found code one of the task's languages, or a script that one of them is written in? */
static bool code_allowed(const char *code, str language) {
    if (str_eq(str_from(code), language)) return true;
    char padded[8] = " ";
    if (language.n != 2) return false;
    memcpy(padded + 1, language.p, 2);
    padded[3] = ' ';
    for (int i = 0; i < SCRIPTS; i++)
        if (strcmp(scripts[i].code, code) == 0 && strstr(scripts[i].languages, padded)) return true;
    return false;
}

bool scan_language_is_foreign(str text, const str *codes, size_t n) {
    scan_language found = scan_language_of(text);
    if (!found.known) return false;
    for (size_t i = 0; i < n; i++)
        if (code_allowed(found.code, codes[i])) return false;
    return true;
}
