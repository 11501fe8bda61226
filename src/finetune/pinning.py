"""`finetune pin`: write the hub's current commit to the config file of a model or a task."""

from pathlib import Path

import yaml

from finetune.core import hub
from finetune.core.errors import ParamsError
from finetune.core.files import write_text

FOLDERS = {"model": "conf/model", "data": "conf/task"}


def pin(root: Path, what: str) -> str:
    """Pin `model=NAME` or `data=TASK`; returns a line with the file, the old and the new commit.

    Of a task there may be several: its own data set, and those that are mixed in. Only the value of
    `revision` is replaced, so that comments and layout are preserved.

    Raises:
        ParamsError: there is no such config, or it names no repository of the hub.
        HubError: the hub could not be queried.
    """
    group, _, name = what.partition("=")
    if group not in FOLDERS or not name:
        raise ParamsError(f"pin: {what!r} is neither model=NAME nor data=TASK")
    file = root / FOLDERS[group] / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(other.stem for other in file.parent.glob("*.yaml")))
        raise ParamsError(f"pin: no {file.relative_to(root)}; known: {known}")
    text = file.read_text(encoding="utf-8")
    try:
        node = yaml.compose(text)
    except yaml.YAMLError as error:
        raise ParamsError(f"{file.relative_to(root)}: {hub.one_line(error)}") from None
    repo_key = "name" if group == "model" else "repo"
    lines: list[str] = []
    # From the end of the text, where a change moves no place before it.
    sections = _sections(node, group)
    for section in reversed(sections):
        repo, revision = (_value(section, key) for key in (repo_key, "revision"))
        if repo is None or revision is None:
            continue
        sha = hub.current_commit(repo.value, "model" if group == "model" else "dataset")
        text = _replaced(text, revision, sha)
        of = "" if len(sections) == 1 else f"{repo.value}: "
        lines.insert(
            0, f"{file.relative_to(root)}: {of}revision: {revision.value or 'null'} → {sha}"
        )
    if not lines:
        raise ParamsError(
            f"{file.relative_to(root)}: names nothing on the hub that could be pinned"
        )
    write_text(file, text)
    return "\n".join(lines)


def _sections(node: yaml.Node | None, group: str) -> list[yaml.Node]:
    """The mappings that hold revisions, in their order; none where the source is not the hub."""
    if group == "model":
        source = _value(node, "source")
        return [node] if node and source is not None and source.value == "hub" else []
    source = _value(node, "source")
    mix = _value(source, "mix")
    mixed = [part for _, part in mix.value] if isinstance(mix, yaml.MappingNode) else []
    hubs = [hub for each in (source, *mixed) if (hub := _value(each, "hub")) is not None]
    # By its place: an alias is the section that it stands for.
    by_place = {section.start_mark.index: section for section in hubs}
    return [by_place[place] for place in sorted(by_place)]


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _replaced(text: str, node: yaml.Node, sha: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    # YAML reads digits alone, or digits and one e, as a number.
    value = sha if set(sha) & set("abcdf") else f'"{sha}"'
    space = " " if start == end else ""  # `revision:` without a value
    return f"{text[:start]}{space}{value}{text[end:]}"
