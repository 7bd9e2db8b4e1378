"""What the demo prints: colours and live bars in a terminal, plain lines when piped."""

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageDraw
from pipeline import DeadLetter, Row
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

STAGES = {
    "uploaded": "blue",
    "queued": "cyan",
    "processed": "magenta",
    "stored": "green",
    "dead-lettered": "red",
}


class Display:
    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def step(self, text: str) -> None:
        self._console.print(Text.assemble(("▸ ", "bold cyan"), text))

    def note(self, text: str) -> None:
        self._console.print(Text(f"  {text}", "dim"))

    def success(self, text: str) -> None:
        self._console.print(Text(f"✓ {text}", "bold green"))

    def failure(self, text: str) -> None:
        self._console.print(Text(f"✗ {text}", "bold red"))

    @contextmanager
    def stages(self, photos: int) -> Iterator["Stages"]:
        stages: Stages = Bars(self._console, photos) if self._console.is_terminal else Stages()
        try:
            yield stages
        finally:
            stages.close()

    def rows(self, rows: Sequence[Row]) -> None:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column(
            "photo", no_wrap=True, min_width=max((len(row.photo) for row in rows), default=0)
        )
        for title in ("dimensions", "bytes in", "bytes out", "attempts", "ms to\nrow"):
            table.add_column(title, justify="right", vertical="bottom")
        for row in rows:
            table.add_row(
                row.photo,
                f"{row.width} × {row.height}",  # noqa: RUF001 - a multiplication sign
                f"{row.bytes_in:,}",
                f"{row.bytes_out:,}",
                str(row.attempts),
                f"{row.seconds * 1000:.0f}",
            )
        self._console.print(table)

    def dead_letter(self, letter: DeadLetter) -> None:
        self._console.print(
            Text.assemble(
                ("▸ ", "bold red"),
                f"{letter.photo} was given up after {len(letter.errors)} attempts",
            )
        )
        self.note(f"queue    {letter.queue}")
        self.note(f"message  {letter.message_id}")
        self.note(f"error    {letter.errors[-1] if letter.errors else 'not in the log'}")

    def commands(self, title: str, commands: Sequence[tuple[str, str]]) -> None:
        self._console.print(f"\n{title}\n")
        for what, command in commands:
            self._console.print(Text(f"  # {what}", "dim"))
            self._console.print(Text(f"  {command}"))


class Stages:
    """A plain line whenever something has changed."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def update(self, progress: dict[str, int]) -> None:
        if progress != self._last:
            print("  " + ", ".join(f"{n} {stage}" for stage, n in progress.items()), flush=True)
        self._last = progress

    def close(self) -> None:
        pass


class StageBar(BarColumn):
    def render(self, task: Task) -> ProgressBar:
        bar = super().render(task)
        bar.complete_style = bar.finished_style = task.fields["colour"]
        return bar


class Bars(Stages):
    """A live bar for each stage."""

    def __init__(self, console: Console, photos: int) -> None:
        self._progress = Progress(
            TextColumn("  {task.description:<14}"),
            StageBar(40),
            MofNCompleteColumn(),
            console=console,
        )
        self._bars = {
            stage: self._progress.add_task(stage, total=photos, colour=colour)
            for stage, colour in STAGES.items()
        }
        self._progress.start()

    def update(self, progress: dict[str, int]) -> None:
        for stage, count in progress.items():
            self._progress.update(self._bars[stage], completed=count)

    def close(self) -> None:
        self._progress.stop()


def contact_sheet(pictures: Sequence[Path], sheet: Path, columns: int = 4) -> Path:
    """All pictures with their names on one sheet."""
    cell, gap, line = 256, 16, 24
    rows = -(-len(pictures) // columns) or 1
    size = (columns * (cell + gap) + gap, rows * (cell + line + gap) + gap)
    page = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(page)
    for number, path in enumerate(pictures):
        row, column = divmod(number, columns)
        left, top = gap + column * (cell + gap), gap + row * (cell + line + gap)
        with Image.open(path) as picture:
            picture.thumbnail((cell, cell))
            page.paste(picture, (left + (cell - picture.width) // 2, top + cell - picture.height))
        # The font that comes with Pillow has no accents.
        name = unicodedata.normalize("NFD", path.stem).encode("ascii", "ignore").decode()
        pen.text((left + cell / 2, top + cell + line / 2), name, "black", anchor="mm")
    page.save(sheet)
    return sheet
