"""Drives the page's login in headless Chromium against a running server that has the users
ann (viewer) and bob (lead), both with the password "correct horse".

    python3 tests/clients/page_login_test.py http://127.0.0.1:PORT [--shots DIR]

Prints one line a check, "ok - what" or "not ok - what: why"; exit 1 when one failed."""
import argparse
import sys
import traceback

from webdriver import Browser


class Checks:
    def __init__(self):
        self.failed = 0

    def __call__(self, name, good, why=""):
        self.failed += not good
        print(f"ok - {name}" if good else f"not ok - {name}: {why}", flush=True)


OPEN = "return document.getElementById('login-dialog').open"
CLOSED = "return !document.getElementById('login-dialog').open"
WHO = "return document.getElementById('me').hidden ? '' : document.getElementById('me-name').textContent"


def put(b, field, text):
    b.run("document.getElementById(arguments[0]).value = ''", field)
    b.type(f"#{field}", text)


def log_in(b, name, password):
    put(b, "login-name", name)
    put(b, "login-password", password)
    b.keys("Enter")


def asks(b, check, base, shots):
    b.open(base + "/")
    b.wait("the login", OPEN)
    check("the page asks for a login", True)
    check("the first field has the focus", b.run("return document.activeElement.id") == "login-name")
    labels = b.run("""return [...document.querySelectorAll('#login-form input')]
        .every((i) => i.labels.length && i.autocomplete)""")
    check("each field has a label and says what it holds", labels)
    check("the password is not shown", b.run("return document.getElementById('login-password').type") == "password")
    b.keys("Escape")
    b.wait("the login to come back", OPEN)
    check("put away, it comes back", True)
    if shots:
        b.screenshot(f"{shots}/login.png")


def wrong_and_right(b, check):
    log_in(b, "ann", "wrong horses")
    b.wait("a message", "return document.getElementById('login-error').textContent")
    text = b.run("return document.getElementById('login-error').textContent")
    check("a wrong password is told", "wrong" in text, text)
    check("to a screen reader, too", b.run("return document.getElementById('login-error').role") == "alert")
    log_in(b, "ann", "correct horse")
    b.wait("the login to close", CLOSED)
    b.wait("the name", WHO)
    check("the right one opens the page", b.run(WHO) == "ann, viewer", b.run(WHO))
    check("no script can read the cookie", "bantam" not in b.run("return document.cookie"))
    kept = b.run("return JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    check("nothing of the login is kept", "correct horse" not in kept and "csrf" not in kept, kept)


def what_a_viewer_may(b, check, base):
    status = b.run("""return fetch('/v1/reviews').then((r) => r.status)""")
    check("a viewer sees the queue", status == 200, status)
    change = """return get('/v1/me').then(() => post('/v1/tasks/x/mode', {mode: 'auto'}))
        .then(() => 'done', (e) => `${e.status} ${e.message}`)"""
    text = b.run(change)
    check("and may not move the switch", text.startswith("403"), text)


def out_and_in(b, check):
    b.click("#log-out")
    b.wait("the login", OPEN)
    check("logged out, the page asks again", True)
    log_in(b, "bob", "correct horse")
    b.wait("the login to close", CLOSED)
    b.wait("the name", WHO)
    check("another person logs in", b.run(WHO) == "bob, lead", b.run(WHO))
    named = b.run("const w = document.getElementById('who'); return [w.value, w.disabled]")
    check("acts under that name and no other", named == ["bob", True], named)
    text = b.run("""return post('/v1/tasks/x/mode', {mode: 'auto'})
        .then(() => 'done', (e) => `${e.status} ${e.message}`)""")
    check("a lead may move the switch (of a task that is there)", text.startswith("404"), text)
    b.run("state.me.csrf = 'stale'")
    text = b.run("""return post('/v1/tasks/x/mode', {mode: 'auto'})
        .then(() => 'done', (e) => `${e.status} ${e.message}`)""")
    check("a stale token is fetched anew", text.startswith("404"), text)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("base")
    options.add_argument("--shots", help="a folder for screenshots")
    o = options.parse_args()
    check = Checks()
    b = Browser()
    try:
        asks(b, check, o.base, o.shots)
        wrong_and_right(b, check)
        what_a_viewer_may(b, check, o.base)
        out_and_in(b, check)
    except Exception as failure:  # a step that could not be done is a failed check, not a crash
        check("the walk through the login came to its end", False, failure)
        traceback.print_exc()
        if o.shots:
            b.screenshot(f"{o.shots}/failed.png")
    finally:
        b.close()
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
