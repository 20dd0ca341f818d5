"""A workspace as DVC sees it: making one, saying where its images come from, hiding what DVC trips over."""

import configparser
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from sslcore.config import Params
from sslcore.data.remote import RemoteFolder, is_remote
from sslcore.errors import UserError
from tasks.dvc_process import dvc_command, dvc_environment, explain
from tasks.params_file import load_commented, params_text, save_commented

__all__ = [
    "LISTING",
    "check_source_dep",
    "create_workspace",
    "hide_unreadable",
    "is_path",
    "refresh_listing",
    "require_dvc",
    "set_source",
]

_SOURCE_DEP = "${ingest.source}"
LISTING = "data/source.listing"
"""Stands for a remote source: what is there, in four lines that change when it does."""
_DEFAULT_SOURCE = "data/source"
_HIDDEN_BEGIN = "# sslflow: files of the source that nobody can read; DVC stops at them, ingest counts them"
_HIDDEN_END = "# sslflow: end"


def create_workspace(directory: Path, source: str | None = None) -> list[str]:
    """Make a workspace in ``directory``; what is there already stays.

    Args:
        directory: A folder, new or not.
        source: Where images come from, relative to the current folder if it is a relative path.

    Returns:
        What was done and what to type next, in lines.

    Raises:
        UserError: If it is a workspace already, or the source does not exist.
    """
    root = directory.expanduser().absolute()
    for name in ("params.yaml", "dvc.yaml", ".dvc"):
        if (root / name).exists():
            raise UserError(f"{directory} is a workspace already (it has {name}); nothing was changed")
    if root.exists() and not root.is_dir():
        raise UserError(f"{directory} is a file; name a folder")
    place = _DEFAULT_SOURCE if source is None else _as_stored(root, source, base=Path.cwd())
    listing = RemoteFolder(place, {}).fingerprint() if is_remote(place) else None
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory} cannot be made: {error.strerror}; name another folder") from None
    if listing is not None:
        _write_listing(root, listing)
    said = _start_dvc(root)
    (root / "params.yaml").write_text(params_text(place), encoding="utf-8")
    for name in ("dvc.yaml", "prefect.yaml", "prefect.toml"):
        if not (root / name).exists():
            (root / name).write_text(_template(name), encoding="utf-8")
    _write_source_dep(root, place)
    _add_lines(root / ".gitignore", _template("gitignore").splitlines())
    labels = root / "data" / "labels" / "labels.csv"
    labels.parent.mkdir(parents=True, exist_ok=True)
    if not labels.exists():
        labels.write_text("filename,label\n", encoding="utf-8")
    if source is None:
        (root / place).mkdir(parents=True, exist_ok=True)
        said.append(f"put images or videos into {place}/, or set ingest.source in params.yaml")
    return [*said, f"workspace {directory} is ready: cd {directory} && sslflow run"]


def _template(name: str) -> str:
    # Under their own names DVC would take them for pipelines of this repository.
    return files("tasks").joinpath("workspace_files", f"{name}.template").read_text(encoding="utf-8")


def _add_lines(path: Path, lines: list[str]) -> None:
    present = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    missing = [line for line in lines if line not in present]
    if missing:
        path.write_text("\n".join([*present, *missing]) + "\n", encoding="utf-8")


def _start_dvc(root: Path) -> list[str]:
    said = []
    flags = ["--no-scm"]
    if _git(root, "check-ignore", "-q", "."):
        said.append("Git ignores this folder, so DVC runs here without Git")
    elif shutil.which("git"):
        if not _git(root, "rev-parse", "--is-inside-work-tree"):
            _git(root, "init", "-q")
            said.append("made a Git repository")
        flags = [] if (root / ".git").exists() else ["--subdir"]
    else:
        said.append("git is not installed, so DVC runs without it (no 'dvc exp', no lineage to code)")
    done = subprocess.run(
        dvc_command("init", "-q", *flags), cwd=root, env=dvc_environment(), capture_output=True, text=True
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).splitlines()
        raise UserError(explain(lines, root=root) or f"dvc init failed: {' '.join(lines)}")
    _configure_dvc(root / ".dvc" / "config")
    return [*said, "made a DVC repository, with a remote in .state/dvc-remote"]


def _git(root: Path, *arguments: str) -> bool:
    if shutil.which("git") is None:
        return False
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True).returncode == 0


def _configure_dvc(path: Path) -> None:
    """Write the file itself: `dvc config` and `dvc remote add` would take a second."""
    config = configparser.RawConfigParser()
    config.read(path, encoding="utf-8")
    if not config.has_section("core"):
        config.add_section("core")
    config["core"].update({"analytics": "false", "check_update": "false", "remote": "local"})
    config["'remote \"local\"'"] = {"url": "../.state/dvc-remote"}
    with path.open("w", encoding="utf-8") as file:
        config.write(file)


def require_dvc(workspace: Path) -> None:
    """Check that DVC can work here.

    Raises:
        UserError: If there is no .dvc folder.
    """
    if not (workspace / ".dvc").is_dir():
        raise UserError(f"{workspace} has no .dvc folder, so nothing can be versioned: type 'dvc init' there")


def is_path(source: str) -> bool:
    """Whether a source is a folder or file here, and not a data set by name or a remote folder."""
    return not source.startswith("torchvision:") and not is_remote(source)


def refresh_listing(workspace: Path, params: Params) -> bool:
    """Look what a remote source has now, and write it down for DVC if that has changed.

    Returns:
        Whether it has.

    Raises:
        UserError: If the source cannot be listed.
    """
    source = params.ingest.source
    if not is_remote(source):
        return False
    return _write_listing(workspace, RemoteFolder(source, params.ingest.storage_options).fingerprint())


def _write_listing(workspace: Path, lines: str) -> bool:
    path = workspace / LISTING
    if path.is_file() and path.read_text(encoding="utf-8") == lines:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines, encoding="utf-8")
    return True


def set_source(workspace: Path, source: str, *, base: Path | None = None) -> str:
    """Write ``ingest.source`` into params.yaml and its dependency into dvc.yaml; comments stay.

    Args:
        workspace: The workspace's root.
        source: A folder, a video, a list of paths (.txt) or ``torchvision:NAME``.
        base: What a relative path is relative to; the current folder by default.

    Returns:
        The source as written: a path inside the workspace, or given as relative, relative to the workspace.

    Raises:
        UserError: If the path does not exist; nothing is changed then.
    """
    place = _as_stored(workspace, source, base=base or Path.cwd())
    params_path = workspace / "params.yaml"
    params = load_commented(params_path)
    section = params.setdefault("ingest", CommentedMap())
    if not isinstance(section, dict):
        raise UserError(f"{params_path}: ingest must hold settings such as 'source: data/source'")
    if is_remote(source):
        options = section.get("storage_options") or {}
        _write_listing(workspace, RemoteFolder(source, dict(options)).fingerprint())
    if section.get("source") != place:
        section["source"] = place
        save_commented(params, params_path)
    _write_source_dep(workspace, place)
    return place


def _as_stored(workspace: Path, source: str, *, base: Path) -> str:
    if not is_path(source):
        return source
    given = Path(source).expanduser()
    path = Path(os.path.normpath(base / given))
    if not path.exists():
        raise UserError(
            f"source {source} does not exist; name a folder, a video, a .txt list, or torchvision:NAME"
        )
    root = workspace.absolute()
    if given.is_absolute() and not path.is_relative_to(root):
        return path.as_posix()
    return Path(os.path.relpath(path, root)).as_posix()


def _write_source_dep(workspace: Path, source: str) -> None:
    path = workspace / "dvc.yaml"
    content = load_commented(path)
    stage = content.get("stages", {}).get("ingest")
    if not isinstance(stage, CommentedMap):
        raise UserError(f"{path} has no stage 'ingest'; make a new one with 'sslflow init DIR' and compare")
    deps = stage.get("deps", CommentedSeq())
    before = list(deps)
    for other in {_SOURCE_DEP, LISTING} - {_dep_of(source)}:
        if other in deps:
            deps.remove(other)
    wanted = _dep_of(source)
    if wanted is not None and wanted not in deps:
        deps.insert(0, wanted)
    if list(deps) == before:
        return
    if not deps:
        del stage["deps"]
    elif "deps" not in stage:
        stage.insert(list(stage).index("cmd") + 1, "deps", deps)
    save_commented(content, path)


def _dep_of(source: str) -> str | None:
    """Return the dependency that stands for a source in dvc.yaml."""
    if is_remote(source):
        return LISTING
    return _SOURCE_DEP if is_path(source) else None


def check_source_dep(workspace: Path, params: Params) -> None:
    """Check that the source is there, and that dvc.yaml depends on it exactly if it is a path.

    Raises:
        UserError: If not: DVC would look for a file of that name, or would not see that images were added.
    """
    stage = load_commented(workspace / "dvc.yaml").get("stages", {}).get("ingest", {})
    source = params.ingest.source
    deps = stage.get("deps") or []
    if is_path(source) and not (workspace / Path(source).expanduser()).exists():
        raise UserError(f"ingest.source {source} does not exist; name another with 'sslflow run --source S'")
    wanted = _dep_of(source)
    found = {_SOURCE_DEP if dep == source else dep for dep in deps} & {_SOURCE_DEP, LISTING}
    if found != ({wanted} if wanted else set()):
        wrong = "depends on a source that is no path" if wanted is None else "does not depend on the source"
        raise UserError(
            f"dvc.yaml: ingest {wrong} ({source}); type 'sslflow run --source {source}' to put it right"
        )


def hide_unreadable(workspace: Path, source: str) -> list[str]:
    """Name in .dvcignore what nobody can read in the source: DVC stops at a broken link, ingest counts it.

    Returns:
        The hidden files, relative to the workspace.

    Raises:
        UserError: If there are some and the source lies outside the workspace, where .dvcignore has no say.
    """
    root = Path(os.path.normpath(workspace / Path(source).expanduser()))
    broken = _unreadable(root) if is_path(source) else []
    if broken and not root.is_relative_to(workspace):
        raise UserError(
            f"{broken[0]} cannot be read (a broken link, or no permission), and DVC stops at such a file"
            " outside the workspace: remove it, or move the source into the workspace"
        )
    names = [path.relative_to(workspace).as_posix() for path in broken]
    path = workspace / ".dvcignore"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    kept, _, rest = before.partition(f"{_HIDDEN_BEGIN}\n")
    after = kept + rest.partition(f"{_HIDDEN_END}\n")[2]
    if names:
        after += "\n".join([_HIDDEN_BEGIN, *map(_pattern, names), _HIDDEN_END]) + "\n"
    if after != before:
        path.write_text(after, encoding="utf-8")
    return names


def _unreadable(root: Path) -> list[Path]:
    found = []
    for folder, _, names in os.walk(root):
        found += [Path(folder, name) for name in names if not os.access(os.path.join(folder, name), os.R_OK)]
    return sorted(found)


def _pattern(name: str) -> str:
    """Return the .dvcignore pattern that means exactly this file."""
    return "/" + "".join(f"\\{letter}" if letter in "\\*?[]!# " else letter for letter in name)
