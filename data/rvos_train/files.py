# SPDX-License-Identifier: LGPL-2.1-or-later
"""File handling of the programs in data/, by the rules of the C tools
(docs/evaluation.md, "Files").

Guard: input is never overwritten. atomic: results appear complete or not at all. lines:
lists of names. show: text of a file, made safe for a terminal. run: signals and the
standard output.
"""
import argparse
import functools
import os
import re
import secrets
import signal
import stat
import sys
import tempfile
import unicodedata

MAX_LIST = 64 << 20
MAX_LINE = 4096
OUTPUT_LOST = 4  # exit status


class FileError(ValueError):
    """The message names the file and the fault."""


# ---- text ------------------------------------------------------------------------------

HIDDEN = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}  # categories of Unicode
JOINERS = "\u200c\u200d"  # of some scripts, and of emoji


def show(value, room=200):
    """A value of a file as one short line. Strings are escaped and cut; other large values
    are shown as their type only."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() < 200 else "a number of many digits"
    if isinstance(value, float):
        return repr(value)
    if not isinstance(value, (str, os.PathLike)):
        return f"a {type(value).__name__}"
    text = os.fspath(value)
    out = "".join(map(_plain, text[:room + 1]))
    return out if len(out) <= room else out[:room - 3] + "..."


def _plain(c):
    if c in JOINERS or unicodedata.category(c) not in HIDDEN:
        return c
    code = ord(c)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


# ---- reading ---------------------------------------------------------------------------

def open_regular(path):
    """Open a file for reading. Pipes and devices are refused without waiting for them."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "not a regular file", os.fspath(path))
    return os.fdopen(handle, "rb")


def impostor(start):
    """Recognise, from a file's first bytes, what people often have in place of the file
    they want; else None."""
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return ("a git-lfs pointer, not the file itself: get that with 'git lfs pull'")
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "a web page, not the file itself: download it again"
    return None


def decode(data, path):
    """Decode UTF-8 text, with or without a byte order mark."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise FileError(f"{show(path)}: is a text in UTF-16: save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise FileError(f"{show(path)}: is not UTF-8 text (byte {e.start})") from None


def read_text(path, most=MAX_LIST):
    """Read a regular file of at most `most` bytes."""
    try:
        with open_regular(path) as f:
            # read(most + 1) would allocate all of that
            data = f.read() if os.fstat(f.fileno()).st_size <= most else None
    except OSError as e:
        raise FileError(f"{show(path)}: {e.strerror}") from None
    if data is None or len(data) > most:
        raise FileError(f"{show(path)}: is too large: more than {most >> 20} MiB")
    found = impostor(data[:100])
    if found:
        raise FileError(f"{show(path)}: is {found}")
    return decode(data, path)


def lines(path):
    """[(number, line)] of a list, stripped, without empty lines and comments."""
    out = []
    for number, line in enumerate(re.split("\r\n|\r|\n", read_text(path)), 1):
        if "\0" in line:
            raise FileError(f"{show(path)}: line {number} holds a NUL byte: not a list "
                            "of names in UTF-8")
        if len(line) > MAX_LINE:
            raise FileError(f"{show(path)}: line {number} has more than {MAX_LINE} "
                            "characters: not a list of names")
        line = line.strip(" \t\v\f")
        if line and not line.startswith("#"):
            out.append((number, line))
    return out


def is_name(name):
    """Whether a string is the name of an entry of a folder."""
    return (isinstance(name, str) and name not in ("", ".", "..") and "/" not in name
            and "\0" not in name and len(os.fsencode(name)) <= 255)


def is_inside(path):
    """Whether a path stays below a folder."""
    return isinstance(path, str) and all(map(is_name, path.split("/")))


def sequences(path):
    """The names of a list, each once. A line is a name, a path that ends with one, or
    paths of files as in DAVIS-2016: .../NAME/00000.jpg .../NAME/00000.png"""
    names = {}
    for number, line in lines(path):
        first = re.split("[ \t]", line)[0]
        parts = (first if "/" in first else line).rstrip("/").split("/")
        if len(parts) > 1 and "." in parts[-1] and parts[-1] not in (".", ".."):
            parts.pop()
        if ".." in parts or not is_name(parts[-1]):
            raise FileError(f"{show(path)}: line {number}: \"{show(parts[-1])}\" is not "
                            "the name of a sequence's folder")
        names[parts[-1]] = None
    if not names:
        raise FileError(f"{show(path)}: names nothing")
    return list(names)


# ---- writing ---------------------------------------------------------------------------

class atomic:
    """A binary file that gets its name only when it is complete and on the disk. Until
    then it has no name, or a hidden random one. A link with that name is replaced; its
    target stays. A device or a pipe is written to directly."""

    def __init__(self, path):
        self.path = os.fspath(path)
        self.temporary = None

    def __enter__(self):
        self.folder = os.path.dirname(os.path.abspath(self.path))
        try:
            mode = os.stat(self.path).st_mode
        except OSError:
            mode = stat.S_IFREG
        special = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")
        self.direct = self.path.startswith(special) or not (
            stat.S_ISREG(mode) or stat.S_ISDIR(mode))
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(21, os.strerror(21), self.path)
        if self.direct:
            self.file = open(self.path, "wb")
            return self.file
        try:
            if not os.path.exists("/proc/self/fd"):
                raise OSError
            handle = os.open(self.folder, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o666)
        except (OSError, AttributeError):
            try:
                handle, self.temporary = tempfile.mkstemp(dir=self.folder, prefix=".rvos-",
                                                          suffix=".part")
            except OSError as e:  # it names the hidden file
                raise OSError(e.errno, e.strerror, self.path) from None
        self.file = os.fdopen(handle, "wb")
        return self.file

    def place(self):
        """Give the complete file its name."""
        if self.temporary is None:
            # Only rename can replace a file, so it first gets a temporary name.
            name = f".rvos-{secrets.token_hex(16)}.part"
            self.temporary = os.path.join(self.folder, name)
            folder = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
            try:  # Python follows the link in /proc only if a folder is given
                os.link(f"/proc/self/fd/{self.file.fileno()}", name, src_dir_fd=folder,
                        dst_dir_fd=folder)
            finally:
                os.close(folder)
        else:
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(self.file.fileno(), 0o666 & ~umask)
        os.replace(self.temporary, self.path)
        self.temporary = None

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.file.flush()
                if not self.direct:
                    os.fsync(self.file.fileno())
                    self.place()
        except OSError as e:
            raise OSError(e.errno, e.strerror, self.path) from None
        finally:
            try:
                self.file.close()
            except OSError:
                if kind is None:
                    raise
            if self.temporary is not None and os.path.lexists(self.temporary):
                os.unlink(self.temporary)
        return False


class Guard:
    """Compares outputs with inputs by identity, so links and other spellings of a path make
    no difference."""

    def __init__(self, *paths):
        self.paths, self.known = [], None
        for path in paths:
            self.read(path)

    def read(self, *paths):
        """Add files or folders that are read; None is ignored."""
        self.paths += [os.fspath(p) for p in paths if p]

    @staticmethod
    def identity(path):
        try:
            st = os.stat(path)
        except OSError:
            return None
        kinds = stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode)
        return (st.st_dev, st.st_ino) if kinds else None

    def write(self, path, error=FileError):
        """Raise if `path`, a file or a folder that may not exist, is among the inputs."""
        path = os.fspath(path)
        above = path
        while above and not os.path.lexists(above):
            above = os.path.dirname(above.rstrip("/"))
        if ".." in path[len(above):].split("/"):
            raise error(f"{show(path)}: leads out of a folder that does not exist: name the "
                        "place without \"..\"")
        own = self.identity(path)
        if own is None:
            return
        if self.known is None or len(self.paths) != self.known[0]:
            self.known = len(self.paths), {self.identity(p) for p in self.paths}
        if own in self.known[1]:
            raise error(f"{show(path)}: is read by this command: name another place for "
                        "the result")


# ---- programs --------------------------------------------------------------------------

class Ended(BaseException):
    """A signal that ends the program, after partial results have been removed."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


class OutputLost(BaseException):
    """The standard output failed. Not an OSError: programs would blame one of their files."""


class Output:
    """The standard output. Its failures raise OutputLost, those of files OSError."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        try:
            return self.stream.write(text)
        except OSError as e:
            raise OutputLost(e) from None

    def flush(self):
        try:
            self.stream.flush()
        except OSError as e:
            raise OutputLost(e) from None


def parser(description):
    """For a program's arguments; the help begins with the description as it is."""
    return argparse.ArgumentParser(description=description,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)


def number(least, most=None):
    """The type of an argument that is a whole number in a range."""
    def convert(text):
        value = int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
        if value is None or value < least or most is not None and value > most:
            raise argparse.ArgumentTypeError(f"'{show(text)}' is not a whole number from {least}"
                                             + ("" if most is None else f" to {most}"))
        return value
    return convert


def refuses(name, *errors):
    """Decorates main(argv) of a command: these errors are one message and the status 1."""
    def decorate(main):
        @functools.wraps(main)
        def command(argv=None):
            try:
                return main(argv)
            except errors as e:
                print(f"rvos_train {name}: {show(str(e), 1000)}", file=sys.stderr)
                return 1
        return command
    return decorate


def _end(number, _):
    raise Ended(number)


def _die(number):
    """End by the signal itself, so that the parent sees the cause."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


def _drop_output():
    """Python flushes the output again at its end: send that to /dev/null."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, 1)
    os.close(handle)


def run(main, name):
    """Run main() and return the exit status of the program."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)
    if sys.stdout is None:  # closed
        sys.stdout = open("/dev/full" if os.path.exists("/dev/full") else os.devnull, "w")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = Output(sys.stdout)
    try:
        try:
            status = main() or 0
        except SystemExit as e:  # from argparse
            status = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
            if isinstance(e.code, str):
                print(show(e.code, 1000), file=sys.stderr)
        sys.stdout.flush()
        return status
    except ModuleNotFoundError as e:
        if not e.name or e.name.partition(".")[0] == __package__:
            raise
        print(f"{name}: needs the Python package {e.name}, which is not installed for "
              f"{sys.executable}", file=sys.stderr)
        return 1
    except OutputLost as e:
        _drop_output()
        if isinstance(e.args[0], BrokenPipeError):  # `| head` has ended
            return _die(signal.SIGPIPE)
        print(f"{name}: standard output: cannot be written: {e.args[0].strerror}",
              file=sys.stderr)
        return OUTPUT_LOST
    except BrokenPipeError:  # stderr, or a child's input
        return _die(signal.SIGPIPE)
    except KeyboardInterrupt:
        return _die(signal.SIGINT)
    except Ended as e:
        return _die(e.number)
