"""A browser for tests: headless Chromium driven over its own debugging pipe, with keys as a person presses them."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any


class Browser:
    """One browser page; every command blocks until its reply arrives."""

    def __init__(
        self, chromium: str, profile: Path, *, width: int = 1100, height: int = 780, dark: bool = False
    ) -> None:
        to_browser, ours = os.pipe()
        theirs, from_browser = os.pipe()
        os.set_inheritable(to_browser, True)
        os.set_inheritable(from_browser, True)
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"]
        flags += ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}"]
        shell = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$0" "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", shell, chromium, *flags, "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.write, self.read = os.fdopen(ours, "wb"), os.fdopen(theirs, "rb")
        self.ids, self.rest, self.session, self.console = itertools.count(1), b"", "", []
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.tell(f"{domain}.enable")
        self.tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tell("Emulation.setEmulatedMedia", features=[scheme])

    def tell(self, method: str, **params: Any) -> Any:
        number = next(self.ids)
        session = {"sessionId": self.session} if self.session else {}
        self.write.write(json.dumps({"id": number, "method": method, "params": params, **session}).encode() + b"\0")
        self.write.flush()
        while True:
            while b"\0" not in self.rest:
                block = os.read(self.read.fileno(), 1 << 16)
                assert block, "the browser is gone"
                self.rest += block
            line, _, self.rest = self.rest.partition(b"\0")
            told = json.loads(line)
            if told.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.console.append(told["params"])
            if told.get("id") == number:
                assert "error" not in told, told["error"]
                return told["result"]

    def open(self, url: str) -> None:
        self.js("window.isLeft = true")  # the page before this one is complete too
        self.tell("Page.navigate", url=url)
        self.wait("!window.isLeft && document.readyState === 'complete'")

    def js(self, code: str) -> Any:
        told = self.tell("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait(self, code: str, seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while not self.js(code):
            assert time.monotonic() < until, f"never: {code}"
            time.sleep(0.02)

    def key(self, key: str, *, alt: bool = False) -> None:
        code = {"Enter": "Enter", " ": "Space"}.get(key) or (f"Key{key.upper()}" if key.isalpha() else f"Digit{key}")
        text = "\r" if key == "Enter" else "" if alt else key
        number = 13 if key == "Enter" else ord(key.upper())
        press = {"key": key, "code": code, "modifiers": int(alt), "windowsVirtualKeyCode": number}
        self.tell("Input.dispatchKeyEvent", type="keyDown", text=text, **press)
        self.tell("Input.dispatchKeyEvent", type="keyUp", **press)

    def type(self, text: str) -> None:
        for letter in text:
            self.key(letter)

    def close(self) -> None:
        self.write.close()
        self.read.close()
        self.process.kill()
        self.process.wait()
