"""Shows live pictures with boxes and names: in a window, or in the terminal where there is no display."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from rich.color import Color
from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.segment import Segment
from rich.style import Style

from face_det.cli.terminal import make_printable
from face_det.errors import FaceDetError
from face_det.media import annotate_answer, label_answer, load_perhaps_partial, names_somebody, resize_image
from face_det.types import Rgb

Faces = Sequence[Mapping[str, Any]]
"""The daemon's answer about a picture."""

WINDOW_PX = (1280, 720)
"""A larger picture is shown at this width or height."""
PUMP_S = 0.02
"""How often the window looks at what its user does."""
HALF_BLOCK = "\u2580"
"""Its upper half has the text's colour, its lower half that of the background: two pixels in a cell."""
COLOUR_STEP = 8
"""A cell's colours are rounded to multiples of this, so that few styles are made."""
KNOWN, STRANGER = (0, 120, 50), (70, 80, 100)


class LiveView(Protocol):
    """Somewhere to show pictures; a context manager."""

    takes_terminal: bool
    """True if nothing else can be printed there meanwhile."""

    def __enter__(self) -> LiveView:
        """Open it."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        ...

    def show(self, picture: bytes, faces: Faces, line: str) -> None:
        """Show an encoded picture, the faces in it, and a line that says who is there."""
        ...

    async def closed(self) -> None:
        """Return when somebody closes it; in the terminal, that is never."""
        ...


class _NoWindow(Exception):
    """There can be no window; the text says why."""


def choose_view(title: str) -> LiveView:
    """Return a window or, where there is no display, the terminal. Raises FaceDetError without either."""
    try:
        return _open_window(title)
    except _NoWindow as reason:
        console = Console()
        if console.is_terminal:
            return TerminalView(console)
        raise FaceDetError(
            f"--view: needs a display ({reason}) or a terminal; the page shows the cameras of config.json: "
            "`face-det up`, then Live"
        ) from reason


def _open_window(title: str) -> LiveView:
    """Open a window; raises _NoWindow."""
    try:
        import tkinter
    except ImportError as error:
        raise _NoWindow("Python has no tkinter") from error
    try:
        return WindowView(tkinter.Tk(className="face-det"), title)
    except tkinter.TclError as error:
        raise _NoWindow(str(error)) from error


class WindowView:
    """A window of Tk; Esc and q close it, too."""

    takes_terminal = False

    def __init__(self, root: Any, title: str) -> None:
        """Use the root window `root`, a tkinter.Tk."""
        import tkinter

        self._root = root
        self._open = True
        root.title(title)
        root.configure(background="black")
        self._label = tkinter.Label(root, background="black", borderwidth=0)
        self._label.pack()
        root.protocol("WM_DELETE_WINDOW", self._close)
        for key in ("<Escape>", "q"):
            root.bind(key, lambda _: self._close())

    def __enter__(self) -> WindowView:
        """Return it; it is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the window."""
        self._root.destroy()

    def show(self, picture: bytes, faces: Faces, line: str) -> None:
        """Draw the boxes and names into the picture, and show it."""
        import tkinter

        rgb = annotate_answer(picture, faces)
        height, width = rgb.shape[:2]
        scale = min(1.0, WINDOW_PX[0] / width, WINDOW_PX[1] / height)
        if scale < 1:
            rgb = resize_image(rgb, max(1, round(width * scale)), max(1, round(height * scale)))
        height, width = rgb.shape[:2]
        # Tk reads this itself, without a file and without another library.
        image = tkinter.PhotoImage(
            master=self._root, data=b"P6 %d %d 255 " % (width, height) + rgb.tobytes(), format="ppm"
        )
        self._label.configure(image=image)
        self._image = image  # Tk does not keep it
        self._root.update()

    async def closed(self) -> None:
        """Keep the window alive, and return when it is closed."""
        while self._open:
            self._root.update()
            await asyncio.sleep(PUMP_S)

    def _close(self) -> None:
        self._open = False


class TerminalView:
    """Pictures of coloured half blocks, with the names as text. The last one stays when it ends."""

    takes_terminal = True

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> TerminalView:
        """Begin."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the cursor below the last picture."""
        self._live.stop()

    def show(self, picture: bytes, faces: Faces, line: str) -> None:
        """Draw the picture as large as the terminal."""
        self._live.update(BlockPicture(load_perhaps_partial(picture).rgb, faces, line), refresh=True)

    async def closed(self) -> None:
        """Wait until cancelled."""
        await asyncio.Event().wait()


class BlockPicture:
    """What rich prints: a picture in half blocks, boxes around its faces, their names, and a line below."""

    def __init__(self, rgb: Rgb, faces: Faces, line: str) -> None:
        self._rgb = rgb
        self._faces = faces
        self._line = line

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Draw as large as it fits; the last line but one is left for the text."""
        height, width = self._rgb.shape[:2]
        rows = max(1, (options.height or console.height) - 2)
        scale = min(options.max_width / width, 2 * rows / height)
        across, down = max(1, round(width * scale)), 2 * max(1, round(height * scale / 2))
        pixels = resize_image(self._rgb, across, down)
        texts: dict[tuple[int, int], Segment] = {}
        for face in self._faces:
            self._draw(pixels, texts, face, (across / width, down / height))
        for row in range(down // 2):
            for column in range(across):
                style = _style(_rounded(pixels[2 * row, column]), _rounded(pixels[2 * row + 1, column]))
                yield texts.get((row, column)) or Segment(HALF_BLOCK, style)
            yield Segment.line()
        yield Segment(make_printable(self._line)[: options.max_width])

    def _draw(
        self,
        pixels: Rgb,
        texts: dict[tuple[int, int], Segment],
        face: Mapping[str, Any],
        scale: tuple[float, float],
    ) -> None:
        """Draw a box into the pixels, and put the letters of its label into the cells above it."""
        down, across = pixels.shape[:2]
        box = face["faceBox"]
        left, right = (min(max(round(box[key] * scale[0]), 0), across - 1) for key in ("xmin", "xmax"))
        top, bottom = (min(max(round(box[key] * scale[1]), 0), down - 1) for key in ("ymin", "ymax"))
        colour = KNOWN if names_somebody(face) else STRANGER
        pixels[[top, bottom], left : right + 1] = colour
        pixels[top : bottom + 1, [left, right]] = colour
        style = Style(color="white", bgcolor=Color.from_rgb(*colour), bold=True)
        row = max(0, top // 2 - 1)
        for column, letter in enumerate(make_printable(label_answer(face))[: across - left], left):
            texts[row, column] = Segment(letter, style)


def _rounded(colour: Any) -> tuple[int, int, int]:
    red, green, blue = (int(value) // COLOUR_STEP * COLOUR_STEP for value in colour)
    return red, green, blue


@functools.lru_cache(maxsize=65536)
def _style(upper: tuple[int, int, int], lower: tuple[int, int, int]) -> Style:
    return Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))
