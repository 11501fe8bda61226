"""Which files of a folder are read, and what is said of the others."""

import random
from pathlib import Path

import pytest
from tiny_documents import pdf, text_page, word

from finetune.core.errors import DataError
from finetune.documents import plain, reading


def names(*paths: Path) -> list[str]:
    return [document.name for document in reading.read(paths).documents]


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "manual"
    (made / "part").mkdir(parents=True)
    (made / "b.md").write_text("# B\n\ntext")
    (made / "a.txt").write_text("text")
    (made / "part/c.HTML").write_text("<h1>C</h1>")
    (made / "d.pdf").write_bytes(pdf([text_page("1")]))
    word(made / "e.docx")
    return made


def test_a_folder_is_read_with_what_is_below_it(folder):
    (folder / "x.png").write_bytes(b"")
    (folder / "LICENCE").write_text("none")
    (folder / ".hidden").mkdir()
    (folder / ".hidden/f.md").write_text("# F")
    (folder / ".g.md").write_text("# G")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "gone.md").symlink_to(folder / "nowhere.md")
    read = reading.read([folder])
    assert [document.name for document in read.documents] == [
        "manual/a.txt", "manual/b.md", "manual/d.pdf", "manual/e.docx", "manual/part/c.HTML",
    ]  # fmt: skip
    assert read.others == {".png": 1, "no ending": 1}
    assert read.unreadable == {}


def test_files_are_read_once_and_have_names_of_their_own(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.md").write_text("# Another")
    given = [Path("manual/b.md"), Path("b.md"), Path("manual"), folder / "b.md"]
    assert names(*given) == [
        "b.md", "b.md (2)", "manual/a.txt", "manual/d.pdf", "manual/e.docx", "manual/part/c.HTML",
    ]  # fmt: skip


def test_the_folder_of_the_project_has_a_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert names(Path())[:2] == ["a.txt", "b.md"]
    assert names(Path("../manual"))[0] == "manual/a.txt"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.md", b"# \xff\xfe", "byte 2: not UTF-8; convert the file"),
        ("a.txt", b" \n", "it is empty"),
        ("a.html", b"", "ParserError: Document is empty"),
        ("a.pdf", b"no PDF", "Error: "),
        ("a.pdf", pdf([text_page("1")])[:-400], ""),
        ("a.docx", b"no zip", "Error: "),
        ("a.docx", b"PK\x05\x06" + bytes(18), "Error: "),
    ],
)
def test_a_damaged_document_is_named_with_why(folder, name, content, said):
    other = folder / "z" / name
    other.parent.mkdir()
    other.write_bytes(content)
    read = reading.read([folder])
    assert len(read.documents) >= 5
    if said:
        assert said in read.unreadable[f"manual/z/{name}"]
        assert "\n" not in read.unreadable[f"manual/z/{name}"]


def test_a_document_that_cannot_be_opened_is_named(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(plain, "read", refuse)
    assert reading.read([folder]).unreadable == {"manual/a.txt": "Permission denied"}


@pytest.mark.parametrize("name", ["d.pdf", "e.docx", "part/c.HTML", "b.md", "a.txt"])
def test_documents_with_changed_bytes_are_read_or_named(folder, name):
    whole, rng = (folder / name).read_bytes(), random.Random(name)
    other = folder / "part"
    file = other / f"changed{(folder / name).suffix}"
    for _ in range(20):
        changed = bytearray(whole)
        for _ in range(rng.randint(1, 12)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        file.write_bytes(bytes(changed[: rng.randint(1, len(changed))]))
        read = reading.read([other])
        assert len(read.documents) + len(read.unreadable) == 2


def test_nothing_to_read_is_one_line(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such file or folder"):
        reading.read([tmp_path / "nowhere"])
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"no documents; known endings: \.md, .*1 × \.png"):
        reading.read([tmp_path])
    (tmp_path / "x.pdf").write_bytes(b"")
    with pytest.raises(DataError, match=r"none of 1 documents can be read \(.*x\.pdf: "):
        reading.read([tmp_path])
