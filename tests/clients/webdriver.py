"""A small WebDriver client: headless Chromium driven over chromedriver's HTTP protocol (W3C
WebDriver), with the standard library only. Not here: what is tested (page_test.py)."""
import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "Control": "\ue009"}


class WebDriverError(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def programs():
    """(chromium, chromedriver); either may be None."""
    return shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")


class Browser:
    """One headless browser with an empty profile; close() ends it and removes the profile."""

    def __init__(self, width=1280, height=900, dark=False):
        chromium, driver = programs()
        self.home = tempfile.mkdtemp(prefix="bantam-page-")
        port = free_port()
        env = dict(os.environ, HOME=self.home)
        self.process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=env, start_new_session=True)
        self.base = f"http://127.0.0.1:{port}"
        self._wait_for_driver()
        args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--hide-scrollbars", f"--window-size={width},{height}",
                f"--user-data-dir={self.home}/profile"]
        if dark:
            args.append("--blink-settings=preferredColorScheme=0")
        wanted = {"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"binary": chromium, "args": args}}}}
        made = self._send("POST", "/session", wanted)
        self.session = f"/session/{made['sessionId']}"

    def _wait_for_driver(self):
        for _ in range(200):
            try:
                if self._send("GET", "/status")["ready"]:
                    return
            except OSError:
                time.sleep(0.05)
        raise WebDriverError("chromedriver does not answer")

    def _send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise WebDriverError(f"{value['error']}: {value['message'].splitlines()[0]}") from None

    def close(self):
        try:
            self._send("DELETE", self.session)
        except (OSError, WebDriverError):
            pass
        self.process.terminate()
        self.process.wait(timeout=20)
        shutil.rmtree(self.home, ignore_errors=True)

    def open(self, url):
        self._send("POST", f"{self.session}/url", {"url": url})

    def run(self, script, *args):
        """Runs the body of a JavaScript function in the page and returns what it returns."""
        return self._send("POST", f"{self.session}/execute/sync", {"script": script, "args": list(args)})

    def wait(self, what, script, *args, seconds=15):
        """Waits until the script returns something true; says what was waited for when it does not."""
        end = time.monotonic() + seconds
        while True:
            value = self.run(script, *args)
            if value:
                return value
            if time.monotonic() > end:
                raise WebDriverError(f"waited {seconds} s for: {what}")
            time.sleep(0.1)

    def find(self, css):
        return self._send("POST", f"{self.session}/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self._send("POST", f"{self.session}/element/{self.find(css)}/click", {})

    def type(self, css, text):
        self._send("POST", f"{self.session}/element/{self.find(css)}/value", {"text": text})

    def keys(self, *names):
        """Presses keys one after the other, wherever the focus is; "Control+Enter" together."""
        actions = []
        for name in names:
            chord = [KEYS.get(key, key) for key in name.split("+")]
            actions += [{"type": "keyDown", "value": key} for key in chord]
            actions += [{"type": "keyUp", "value": key} for key in reversed(chord)]
        self._send("POST", f"{self.session}/actions", {"actions": [
            {"type": "key", "id": "keyboard", "actions": actions}]})

    def phone(self, width, height):
        """Narrower than a window can be: the page sees a small screen."""
        self._send("POST", f"{self.session}/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}})

    def log(self, kind):
        """What came since the last call: "browser" = console, "performance" = network events."""
        return self._send("POST", f"{self.session}/se/log", {"type": kind})

    def screenshot(self, path):
        with open(path, "wb") as out:
            out.write(base64.b64decode(self._send("GET", f"{self.session}/screenshot")))
