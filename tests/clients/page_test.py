"""Drives the page in headless Chromium against a running server that serves tasks/support.yaml.

    python3 tests/clients/page_test.py http://127.0.0.1:PORT [--shots DIR]

Prints one line a check, "ok - what" or "not ok - what: why"; exit 1 when one failed. The questions
are of the sample's desk: one that its texts answer, some that must go to a person."""
import argparse
import http.server
import json
import sys
import threading
import time
import traceback
import urllib.request
from urllib.parse import urlsplit

from webdriver import Browser

EASY = "How do I cancel my policy?"
FOR_A_PERSON = "I want to complain about the way I was treated on the phone last week."
NEW_MATTER = "Is my collection of model trains covered in the cellar?"
NEW_LABEL = "model_trains"
NEW_TEXT = "Model trains are insured as contents, up to 2,000 pounds, also in the cellar."
CORRECTED = NEW_TEXT + " Please keep the receipts."
MARKUP = "I want to complain: <img src=x onerror=\"document.title='owned'\"> <b>bold</b>"
WORDS = "We are sorry. Ms Hall from our complaints team will ring you before noon."
EDITED = "We have read every word of it, also the ones in angle brackets."

VISIBLE = """
const seen = (e) => e.getClientRects().length > 0;
"""
CARD = "document.querySelector('#answers article')"


class Checks:
    def __init__(self):
        self.failed = 0

    def __call__(self, name, good, why=""):
        self.failed += not good
        print(f"ok - {name}" if good else f"not ok - {name}: {why}", flush=True)


def ask(b, text):
    """Types a question, sends it by Enter, and returns the text of its card."""
    b.wait("the Ask view", "return !document.getElementById('view-ask').hidden")
    before = b.run("return document.querySelectorAll('#answers article').length")
    b.type("#question", text)
    b.keys("Enter")
    b.wait("an answer", f"""return document.querySelectorAll('#answers article').length > arguments[0]
        && {CARD}.querySelector('.facts')""", before, seconds=30)
    return b.run(f"return {CARD}.innerText")


def view(b, name):
    b.click(f'nav a[data-view="{name}"]')
    b.wait(f"the view {name}", "return !document.getElementById('view-' + arguments[0]).hidden", name)


def open_page(b, base, fragment=""):
    b.open(base + "/" + fragment)
    b.wait("the task's title", "return document.getElementById('task-title').textContent.trim().length > 3")


def automatic_answer(b, check):
    text = ask(b, EASY)
    check("an easy question is answered by the small model", "Small model" in text, text[:200])
    answer = b.run(f"return {CARD}.querySelector('.said')?.textContent || ''")
    check("the answer's words are shown", len(answer) > 20, answer)
    for fact in ("Subject", "Confidence", "Assumed cost", "Why", "It rests on"):
        check(f"the answer says: {fact}", fact in text, text[:300])
    check("its confidence is a percentage", "%" in text)
    check("its assumed cost is in dollars", "$" in text)
    check("its passage is quoted", b.run(f"return ({CARD}.querySelector('blockquote')?.textContent || '').length > 20"))


def reference_of(b):
    return b.run(f"return {CARD}.querySelector('.ref')?.textContent || ''")


def question_for_a_person(b, check):
    text = ask(b, FOR_A_PERSON)
    check("a complaint goes to a person", "person will answer" in text, text[:200])
    reference = reference_of(b)
    check("its reference is shown", len(reference) >= 6, reference)
    check("an expected time is shown", "Expected by" in text, text[:200])
    return reference


def choose(b, reference):
    """Moves through the queue by j until the wanted question has the focus, and opens it."""
    b.run("document.activeElement.blur()")
    for _ in range(60):
        b.keys("j")
        there = b.run("""const row = people.rows[people.at];
            return Boolean(row) && row.id === arguments[0]
                && document.querySelector('#queue').contains(document.activeElement)""", reference)
        if there:
            b.keys("Enter")
            b.wait("the question's detail", "return people.open && people.open.id === arguments[0] && people.form", reference)
            return True
    return False


def queue_and_keyboard(b, check, reference):
    view(b, "people")
    b.wait("the queue", "return document.querySelectorAll('#queue button').length > 0")
    listed = b.run("return document.getElementById('queue').innerText")
    check("the queue shows the question", FOR_A_PERSON[:40] in listed, listed[:200])
    b.type("#who", "Tess Ting")
    check("j, k and Enter reach the question", choose(b, reference))
    detail = b.run("return document.getElementById('detail').innerText")
    check("the detail says why a person is asked", "Why a person" in detail, detail[:200])
    b.keys("e")
    check("e goes to the answer", b.run("return document.activeElement.id") == "answer")
    b.run("document.getElementById('answer').select()")
    b.type("#answer", WORDS)
    b.keys("Escape", "l")
    check("l goes to the label", b.run("return document.activeElement.id") == "label")
    check("labels are offered", b.run("return document.querySelectorAll('#label-names option').length") >= 20)
    b.run("document.activeElement.select()")
    b.type("#label", "complaint")
    b.click("#send")
    b.wait("the question to leave the queue", "return !people.rows.some((r) => r.id === arguments[0])", reference)
    check("the answered question leaves the queue", True)


def answer_arrives(b, check):
    view(b, "ask")
    b.wait("the person's answer", f"return {CARD}.innerText.includes(arguments[0])", WORDS, seconds=40)
    text = b.run(f"return {CARD}.innerText")
    check("the asker sees the person's answer", WORDS in text)
    check("the asker sees who answered", "Tess Ting" in text, text[:200])


def markup_is_text(b, check):
    ask(b, MARKUP)
    reference = reference_of(b)
    check("markup in a question stays text for the asker",
          b.run(f"return {CARD}.textContent.includes('<img src=x') && !{CARD}.querySelector('img, b')"))
    view(b, "people")
    b.wait("the queue", "return people.rows.some((r) => r.id === arguments[0])", reference)
    choose(b, reference)
    check("markup in a question stays text for the person", b.run("""
        const d = document.getElementById('detail');
        return d.textContent.includes('<img src=x') && !document.querySelector('main img, main b')"""))
    check("nothing in it ran", b.run("return document.title") != "owned")
    return reference


def approve_by_keyboard(b, check, reference):
    """With a draft, a approves it; without one, e writes the answer and Control+Enter sends it."""
    drafted = b.run("return Boolean(document.getElementById('approve'))")
    if not drafted:
        b.keys("e")
        b.run("document.getElementById('answer').select()")
        b.type("#answer", EDITED)
        b.keys("Control+Enter")
    else:
        b.keys("a")
    b.wait("the question to leave the queue", "return !people.rows.some((r) => r.id === arguments[0])", reference)
    check("a question is answered by the keyboard alone", True)


def all_to_people(b, check):
    view(b, "ask")
    b.run("document.getElementById('all-to-people').click()")
    b.wait("the banner", "return document.getElementById('banner').textContent.includes('go to people')")
    check("the switch says so in a banner", True)
    text = ask(b, EASY)
    check("the switch sends an easy question to a person", "person will answer" in text, text[:200])
    reference = reference_of(b)
    b.run("document.getElementById('all-to-people').click()")
    b.wait("the banner to go", "return document.getElementById('banner').hidden")
    text = ask(b, EASY)
    check("switched back, it is answered automatically again", "Small model" in text, text[:200])
    return reference


def draft_approved(b, check, reference):
    """The question sent to people by the switch has an approved text: a sends it as it is."""
    view(b, "people")
    b.wait("the queue", "return people.rows.some((r) => r.id === arguments[0])", reference)
    choose(b, reference)
    offered = b.run("return Boolean(document.getElementById('approve'))")
    check("a draft is offered", offered, b.run("return document.getElementById('detail').innerText")[:300])
    if not offered:
        return
    b.keys("a")
    b.wait("the question to leave the queue", "return !people.rows.some((r) => r.id === arguments[0])", reference)
    check("a approves the draft", True)


def open_waiting(b, reference):
    view(b, "people")
    b.wait("the queue", "return people.rows.some((r) => r.id === arguments[0])", reference)
    choose(b, reference)


def claiming(b, check, reference):
    b.keys("c")
    b.wait("the claim", "return people.open.status === 'claimed' && people.open.claimed_by === 'Tess Ting'")
    check("c claims the question", "Tess Ting has it" in b.run("return document.getElementById('detail').innerText"))
    b.run("[...document.querySelectorAll('#detail button')].find((x) => x.textContent === 'Release').click()")
    b.wait("the release", "return people.open.status === 'open'")
    check("it can be released", True)


def teaching(b, check):
    """A new matter: a label and a text that a person gives answer the next such question."""
    view(b, "ask")
    text = ask(b, NEW_MATTER)
    check("a new matter goes to a person", "person will answer" in text, text[:200])
    reference = reference_of(b)
    open_waiting(b, reference)
    claiming(b, check, reference)
    b.keys("l")
    b.run("document.activeElement.select()")
    b.type("#label", NEW_LABEL)
    b.run("document.getElementById('answer').select()")
    b.type("#answer", NEW_TEXT)
    b.click("#adopt")
    b.keys("Control+Enter")
    b.wait("the question to leave the queue", "return !people.rows.some((r) => r.id === arguments[0])", reference)
    view(b, "ask")
    text = ask(b, NEW_MATTER)
    check("what was taught answers the next such question", NEW_TEXT in text and "Small model" in text, text[:300])
    return reference


def correcting(b, check, base, reference):
    open_page(b, base, f"#people/{reference}")
    b.wait("the answered question", "return people.open && people.open.status === 'answered' && people.form")
    b.run("document.getElementById('answer').select()")
    b.type("#answer", CORRECTED)
    b.click("#send")
    b.wait("the correction", "return !people.open")
    open_page(b, base, "#ask")
    b.click("details.more summary")
    b.type("#ref", reference)
    b.keys("Enter")
    b.wait("the corrected answer", "return document.getElementById('answers').innerText.includes(arguments[0])", CORRECTED)
    check("a corrected answer reaches the asker by its reference", True)
    open_page(b, base, f"#people/{reference}")
    b.wait("the answered question", "return people.open && people.form")
    b.run("[...document.querySelectorAll('#detail button')].find((x) => x.textContent.startsWith('Take back')).click()")
    b.wait("it to be taken back", "return people.open.label_id === 0")
    check("what was learned can be taken back", True)


def objection(b, check):
    view(b, "ask")
    b.run(f"[...{CARD}.querySelectorAll('button')].find((x) => x.textContent === 'This is wrong').click()")
    b.wait("a reference", f"return {CARD}.querySelector('.ref')", seconds=20)
    check("\"this is wrong\" sends the question to a person", len(reference_of(b)) >= 6)


def search(b, check):
    view(b, "people")
    b.keys("Escape")
    b.keys("/")
    check("/ goes to the search", b.run("return document.activeElement.id") == "search")
    b.type("#search", "zzzz nothing like this")
    b.wait("an empty list", "return people.rows.length === 0")
    check("the search finds nothing where there is nothing", b.run(
        "return document.getElementById('queue-empty').textContent") == "Nothing was found.")
    b.run("const s = document.getElementById('search'); s.value = 'cancel'; s.dispatchEvent(new Event('input'))")
    b.wait("what was searched", "return people.rows.length > 0 && people.rows.every((r) => /cancel/i.test(r.text + r.answer))")
    check("the search finds a word of a question", True)
    b.run("const s = document.getElementById('search'); s.value = ''; s.dispatchEvent(new Event('input'))")


def record_and_cost(b, check):
    view(b, "record")
    b.wait("the record", "return document.querySelectorAll('#requests tbody tr').length >= 4")
    rows = b.run("return document.getElementById('requests').innerText")
    check("the record lists what was asked, by whom decided and its cost",
          EASY in rows and "Small model" in rows and "$" in rows, rows[:200])
    check("markup stays text in the record", b.run(
        "return document.getElementById('requests').textContent.includes('<img src=x')"))
    b.run("document.querySelector('#requests button').click()")
    b.wait("a trace", "return document.querySelectorAll('#trace .steps > li').length > 0")
    check("a click shows the trace with its steps", True)
    view(b, "cost")
    b.wait("the cost", "return document.querySelector('table.costs')")
    table = b.run("return document.querySelector('table.costs').innerText")
    check("the cost stands beside the large model only", "Large model only" in table and "$" in table, table[:200])
    b.type("#price", "0.08")
    b.wait("the assumed price", "return document.querySelector('table.costs tfoot').innerText.includes('$0.08')")
    check("the large model's assumed price is computed with", True)


def accessible(b, check, base):
    """Every control has a name, every view one heading, no id stands twice; focus can be seen."""
    for name in ("ask", "people", "record", "cost"):
        open_page(b, base, f"#{name}")
        time.sleep(0.5)
        nameless = b.run(VISIBLE + """
            return [...document.querySelectorAll('input, select, textarea, button, a')].filter(seen).filter((e) => {
                const label = e.labels && [...e.labels].some((l) => l.textContent.trim());
                return !(label || e.getAttribute('aria-label') || (/^(A|BUTTON)$/.test(e.tagName) && e.textContent.trim()));
            }).map((e) => e.outerHTML.slice(0, 80))""")
        check(f"{name}: every control has a label", not nameless, nameless)
        headings = b.run(VISIBLE + "return [...document.querySelectorAll('h1')].filter(seen).length")
        check(f"{name}: one main heading", headings == 1, headings)
        twice = b.run("""const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
            return ids.filter((id, i) => ids.indexOf(id) !== i)""")
        check(f"{name}: no id stands twice", not twice, twice)
    check("the page names its language and its main part", b.run(
        "return document.documentElement.lang === 'en' && Boolean(document.querySelector('main'))"
        " && Boolean(document.querySelector('[aria-live]'))"))


def narrow(b, check, base, shots):
    b.phone(390, 844)
    for name in ("ask", "people", "record", "cost"):
        open_page(b, base, f"#{name}")
        time.sleep(0.5)
        if name == "people":
            b.run("document.querySelector('#queue button')?.click()")
            time.sleep(0.5)
        width = b.run("return document.documentElement.scrollWidth")
        check(f"{name}: no sideways scrolling at 390 px", width <= 390, width)
        if shots:
            b.screenshot(f"{shots}/phone-{name}.png")


def quiet(b, check, base):
    """No console errors, and no request left for another origin."""
    errors = [line["message"] for line in b.log("browser") if line["level"] in ("SEVERE", "WARNING")]
    check("the console has no errors", not errors, errors[:3])
    home = urlsplit(base).netloc
    others = set()
    for line in b.log("performance"):
        message = json.loads(line["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = urlsplit(message["params"]["request"]["url"])
            if url.scheme in ("http", "https", "ws", "wss") and url.netloc != home:
                others.add(url.netloc)
    check("no request goes to another origin", not others, sorted(others))


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Another website: its page tries to act on ours through the visitor's browser."""

    def do_GET(self):
        body = b"<!doctype html><title>elsewhere</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def other_websites(b, check, base):
    """By fetch without preflight, and by a form: both reach the server, and neither may do anything."""
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    elsewhere = f"http://localhost:{site.server_address[1]}/"
    target = base + "/v1/tasks/support/mode"
    b.open(elsewhere)
    b.run("""window.sent = false;
        fetch(arguments[0], {method: 'POST', mode: 'no-cors', body: '{"mode": "all-to-people"}'})
            .finally(() => { window.sent = true; })""", target)
    b.wait("another website's fetch", "return window.sent")
    read = b.run("return fetch(arguments[0]).then(() => 'read', () => 'refused')", base + "/v1/reviews")
    check("another website reads nothing", read == "refused", read)
    b.run("""const form = document.createElement('form');
        form.method = 'post'; form.enctype = 'text/plain'; form.action = arguments[0];
        const field = document.createElement('input');
        field.name = '{"mode": "all-to-people", "by": "'; field.value = '"}';
        form.append(field); document.body.append(form); form.submit()""", target)
    time.sleep(1)
    with urllib.request.urlopen(base + "/v1/tasks/support", timeout=10) as reply:
        mode = json.load(reply)["mode"]
    check("another website changes nothing", mode == "auto", mode)
    site.shutdown()


def walk(b, check, base, shots):
    open_page(b, base)
    automatic_answer(b, check)
    reference = question_for_a_person(b, check)
    if shots:
        b.screenshot(f"{shots}/ask.png")
    queue_and_keyboard(b, check, reference)
    answer_arrives(b, check)
    approve_by_keyboard(b, check, markup_is_text(b, check))
    reference = all_to_people(b, check)
    draft_approved(b, check, reference)
    objection(b, check)
    correcting(b, check, base, teaching(b, check))
    search(b, check)
    record_and_cost(b, check)
    accessible(b, check, base)
    narrow(b, check, base, shots)
    quiet(b, check, base)
    other_websites(b, check, base)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("base")
    options.add_argument("--shots", help="a folder for screenshots")
    o = options.parse_args()
    check = Checks()
    b = Browser()
    try:
        walk(b, check, o.base.rstrip("/"), o.shots)
    except Exception as failure:  # a step that could not be done is a failed check, not a crash
        check("the walk through the page came to its end", False, failure)
        traceback.print_exc()
        if o.shots:
            b.screenshot(f"{o.shots}/failed.png")
    finally:
        b.close()
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
