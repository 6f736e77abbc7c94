"""A terminal of so many columns and rows, in which a command is run: it shows what a person would see."""

import codecs
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
import time

PIECE = re.compile(
    r"\x1b\[(?P<numbers>[?\d;]*)(?P<what>[A-Za-z])|(?P<control>[\r\n\x07\x08])|(?P<text>[^\x1b\r\n\x07\x08]+)"
)


class Screen:
    """What such codes as rich sends make of a screen; `lines` has what scrolled away above it, too."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines, self.row, self.column = [""], 0, 0
        self.pending = ""

    def feed(self, text):
        text = self.pending + text
        cut = text.rfind("\x1b")
        whole = cut < 0 or re.match(r"\x1b\[[?\d;]*[A-Za-z]", text[cut:])
        text, self.pending = (text, "") if whole else (text[:cut], text[cut:])
        for found in PIECE.finditer(text):
            if found["text"]:
                for letter in found["text"]:
                    self.put(letter)
            elif found["control"]:
                self.control(found["control"])
            else:
                self.code(found["numbers"], found["what"])

    def put(self, letter):
        if self.column == self.columns:
            self.control("\r")
            self.control("\n")
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
        self.column += 1

    def control(self, letter):
        if letter == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        elif letter == "\r":
            self.column = 0
        elif letter == "\x08":
            self.column = max(self.column - 1, 0)

    def code(self, numbers, what):
        if what == "K":
            line = self.lines[self.row]
            self.lines[self.row] = "" if numbers == "2" else line[: self.column]
        elif what == "A":
            self.row = max(self.row - int(numbers or 1), self.top)
        elif what not in "mhl":
            raise ValueError(f"a code that this terminal does not know: {numbers}{what}")

    @property
    def top(self):
        return max(len(self.lines) - self.rows, 0)

    def shown(self):
        """Return the lines that are on the screen."""
        return [line[: self.columns].rstrip() for line in self.lines[self.top :]]

    def resized(self, columns, rows):
        """What a narrower window has no room for is lost, as in xterm."""
        self.columns, self.rows, self.column = columns, rows, min(self.column, columns)
        self.lines = [line[:columns] for line in self.lines]


class Session:
    """A command in a terminal. It reads what the command says until that is over, or until something is seen."""

    def __init__(self, *command, columns=80, rows=24, folder=None, env=None):
        self.screen, self.raw, self.code = Screen(columns, rows), "", None
        self.child, self.master = pty.fork()
        if self.child == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs in the background ignores it, and hands that on
            os.chdir(folder or ".")
            taken = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")}
            while os.get_terminal_size(0) == (0, 0):  # not before the terminal has its size
                time.sleep(0.001)
            os.execve(sys.executable, [sys.executable, *command], {**taken, "TERM": "xterm-256color", **(env or {})})
        self.size(columns, rows)
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def size(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resized(columns, rows)

    def until(self, seen=lambda shown: False):
        """Read on until `seen(shown)` holds of what is on the screen; return that, or what is there at the end."""
        while not seen(self.screen.shown()) and self.code is None:
            try:
                data = os.read(self.master, 4096)
            except OSError:  # the command has closed the terminal
                data = b""
            if not data:
                self.code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
                os.close(self.master)
                break
            text = self.decoder.decode(data)
            self.raw += text
            self.screen.feed(text)
        return self.screen.shown()

    def press(self, keys):
        os.write(self.master, keys)
