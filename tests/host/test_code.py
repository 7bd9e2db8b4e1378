"""Code made ready: zips unpacked safely, source folders built with their requirements."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from lambent.core.errors import AwsError
from lambent.host.archive import extract
from lambent.host.build import BuildFailed, build, unpack

CORRUPT = "Could not unzip uploaded file. Please check your file, then try to upload again."


def zipped(files: dict[str, str], modes: dict[str, int] | None = None) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (modes or {}).get(name, 0o644) << 16
            archive.writestr(entry, text)
    return data.getvalue()


def test_unpack_is_cached_by_contents(tmp_path: Path) -> None:
    data = zipped({"app.py": "x = 1", "deep/er/b.txt": "b"})
    folder = unpack(data, tmp_path)
    assert (folder / "deep/er/b.txt").read_text() == "b"
    inode = folder.stat().st_ino
    file = tmp_path / "code.zip"
    file.write_bytes(data)
    assert unpack(file, tmp_path) == folder and folder.stat().st_ino == inode
    assert unpack(zipped({"app.py": "x = 2"}), tmp_path) != folder


def test_executable_bits_are_kept(tmp_path: Path) -> None:
    folder = unpack(zipped({"bootstrap": "#!", "data": ""}, {"bootstrap": 0o755}), tmp_path)
    assert os.access(folder / "bootstrap", os.X_OK)
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o644


def test_links_within_the_code_are_kept(tmp_path: Path) -> None:
    link = stat.S_IFLNK | 0o777
    folder = unpack(zipped({"real": "x", "sub/link": "../real"}, {"sub/link": link}), tmp_path)
    assert (folder / "sub/link").read_text() == "x"


@pytest.mark.parametrize(
    ("files", "links"),
    [
        ({"../out": "x"}, ()),
        ({"/etc/out": "x"}, ()),
        ({"a/../../out": "x"}, ()),
        ({"link": "/etc/passwd"}, ("link",)),
        ({"link": "../../secret"}, ("link",)),
        ({"here": ".", "out": "here/.."}, ("here", "out")),
        ({"dir": "/tmp", "dir/file": "x"}, ("dir",)),
    ],
)
def test_paths_out_of_the_archive_are_refused(
    tmp_path: Path, files: dict[str, str], links: tuple[str, ...]
) -> None:
    data = zipped(files, dict.fromkeys(links, stat.S_IFLNK | 0o777))
    with pytest.raises(AwsError) as error:
        unpack(data, tmp_path / "cache")
    assert (error.value.code, error.value.message) == ("InvalidParameterValueException", CORRUPT)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("damage", [lambda data: data[:40], lambda data: b"no zip at all"])
def test_corrupt_zips_are_refused(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    with pytest.raises(AwsError, match="Could not unzip"):
        unpack(damage(zipped({"app.py": "x" * 100})), tmp_path)


def test_damaged_contents_are_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"app.py": "abc" * 1000}))
    data[40] ^= 0xFF
    with pytest.raises(AwsError, match="Could not unzip"):
        unpack(bytes(data), tmp_path)


def test_empty_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AwsError, match="must be a non-empty zip"):
        unpack(zipped({}), tmp_path)


def test_too_large_contents_are_refused_whatever_the_directory_says(tmp_path: Path) -> None:
    data = zipped({"bomb": "0" * 100_000})
    extract(data, tmp_path / "a", limit=100_001)
    with pytest.raises(AwsError, match="Unzipped size must be smaller than 262144000 bytes"):
        extract(data, tmp_path / "b", limit=100_000)
    # The same, with sizes in the archive's directory that lie.
    lying = data.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    with pytest.raises(AwsError):
        extract(lying, tmp_path / "c", limit=50_000)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambent.host.archive.MAX_FILES", 3)
    extract(zipped({str(number): "" for number in range(3)}), tmp_path / "a")
    with pytest.raises(AwsError, match="The archive must have at most 200000 files"):
        extract(zipped({str(number): "" for number in range(4)}), tmp_path / "b")


def test_a_full_disk_is_not_the_archives_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left"):
        extract(zipped({"app.py": "x"}), tmp_path)


def test_much_python_is_compiled_once(tmp_path: Path) -> None:
    folder = unpack(zipped({"app.py": "x = 1\n" * 50_000, "bad.py": "def"}), tmp_path)
    assert len(list(folder.glob("__pycache__/app.*.pyc"))) == 1


def wheel(folder: Path) -> Path:
    """A wheel of one module, made by hand so that no index is asked."""
    file = folder / "greeting-1.0-py3-none-any.whl"
    meta = "greeting-1.0.dist-info"
    parts = {
        "greeting.py": "TEXT = 'hello'",
        f"{meta}/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
        f"{meta}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in parts) + f"{meta}/RECORD,,\n"
    file.write_bytes(zipped({**parts, f"{meta}/RECORD": record}))
    return file


async def test_requirements_are_installed_beside_the_code(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "app.py").write_text("import greeting")
    (source / "requirements.txt").write_text(f"# ours\n{wheel(tmp_path)}\n")
    built = await build(source, "python3.12", tmp_path / "cache")
    assert (built / "greeting.py").read_text() == "TEXT = 'hello'"
    assert (built / "app.py").read_text() == "import greeting"
    assert await build(source, "python3.12", tmp_path / "cache") == built
    (source / "app.py").write_text("import greeting as g")
    assert await build(source, "python3.12", tmp_path / "cache") != built


async def test_failing_requirements_are_told_and_leave_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "requirements.txt").write_text("./no-such-wheel-1.0-py3-none-any.whl\n")
    with pytest.raises(BuildFailed, match=r"requirements\.txt could not be installed") as error:
        await build(source, "python3.12", tmp_path / "cache")
    assert "no-such-wheel" in str(error.value)
    assert list((tmp_path / "cache").iterdir()) == []


async def test_folder_without_requirements_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    source = tmp_path / "source"
    (source / "__pycache__").mkdir(parents=True)
    (source / "requirements.txt").write_text("# nothing\n")
    (source / "app.py").write_text("x = 1")
    built = await build(source, "python3.12", tmp_path / "cache")
    assert sorted(path.name for path in built.iterdir()) == ["app.py", "requirements.txt"]
