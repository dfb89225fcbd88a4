"""Pages of the reference of commands and of groups of settings, made from conf/ when the site is built."""

from collections.abc import Iterator
from pathlib import Path

from arguments_of import Argument, arguments_of
from markdown_text import code, prose, table
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from spi_lightning.settings.comments import Choice, Setting, read_choice

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
COMMANDS, SETTINGS = "reference/commands", "reference/settings"
SKIPPED = ("_target_", "_partial_", "defaults", "_convert_")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The pages stand in the navigation behind the index of their folder."""
    for entries in list(_lists(config.nav)):
        if f"{COMMANDS}/index.md" in entries:
            entries.extend({name: f"{COMMANDS}/{name}.md"} for name in commands())
        if f"{SETTINGS}/index.md" in entries:
            entries.extend({group: f"{SETTINGS}/{page(group)}.md"} for group in groups())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to the files of the site."""
    pages = {f"{COMMANDS}/{name}": command_page(name) for name in commands()}
    pages |= {f"{SETTINGS}/{page(group)}": group_page(group) for group in groups()}
    for name, text in pages.items():
        files.append(File.generated(config, f"{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The index of the settings ends with the groups and the first sentence of each choice."""
    return f"{markdown}\n\n{choices()}" if page.file.src_uri == f"{SETTINGS}/index.md" else markdown


def commands() -> list[str]:
    """Names of the commands that have a configuration."""
    return sorted(path.stem for path in CONF.glob("*.yaml"))


def groups() -> list[str]:
    """Folders of conf/ that hold choices, sorted; ``data/keys`` is a group within another."""
    return sorted({str(path.parent.relative_to(CONF)) for path in CONF.rglob("*.yaml")} - {"."})


def page(group: str) -> str:
    """Name of the page of a group."""
    return group.replace("/", "-")


def choices() -> str:
    """Every group with the first sentence of each choice."""
    parts = []
    for group in groups():
        rows = [(f"[{code(c.path.stem)}]({page(group)}.md#{c.path.stem})", prose(_first(c))) for c in _choices(group)]
        parts.append(f"## {group}\n\n" + table(("choice", "what it is"), rows))
    return "\n\n".join(parts)


def command_page(name: str) -> str:
    """The settings of one command."""
    choice = read_choice(CONF / f"{name}.yaml")
    return f"# {name}\n\n{prose(choice.about)}\n\n{_defaults(choice)}\n\n{_settings(choice)}\n"


def group_page(group: str) -> str:
    """The choices of one group."""
    parts = [f"# {group}"]
    for choice in _choices(group):
        name = choice.path.stem
        parts += [f"## {name} {{#{name}}}", code(f"{group}={name}"), prose(choice.about)]
        parts += [_built(choice), _defaults(choice), _settings(choice)]
    return "\n\n".join(part for part in parts if part)


def _choices(group: str) -> list[Choice]:
    return [read_choice(path) for path in sorted((CONF / group).glob("*.yaml"))]


def _first(choice: Choice) -> str:
    """First sentence of the comment at the top of a file, or of what the file builds."""
    about = choice.about or arguments_of(choice.value("_target_")).about
    return about.split(". ")[0].split(".\n")[0].rstrip(".").replace("\n", " ")


def _built(choice: Choice) -> str:
    target = choice.value("_target_")
    return f"Builds {code(target)}: {prose(arguments_of(target).about)}" if target else ""


def _defaults(choice: Choice) -> str:
    value = choice.value("defaults")
    chosen = [each.strip(" -") for each in value.strip("[]").replace(" - ", ",").split(",")]
    named = [each for each in chosen if each and "_self_" not in each and "override hydra/" not in each]
    return "Choices of other groups: " + ", ".join(code(each.replace(": ", "=")) for each in named) if named else ""


def _settings(choice: Choice) -> str:
    """Table of the keys of a file, then the other arguments of what it builds."""
    known = {each.name: each for each in arguments_of(choice.value("_target_")).arguments}
    shown = [each for each in choice.settings if not _is_skipped(each.key)]
    rows = [(code(each.key), code(each.value), prose(_meaning(each, known))) for each in shown]
    written = {each.key for each in choice.settings}
    further = [each for name, each in known.items() if each.default and name not in written]
    text = table(("key", "value", "meaning"), rows) if rows else ""
    if further:
        more = [(code(each.name), code(each.default), prose(each.about)) for each in further]
        text += "\n\nFurther keys, at the values of the signature:\n\n" + table(("key", "value", "meaning"), more)
    return text


def _meaning(setting: Setting, known: dict[str, Argument]) -> str:
    described = known.get(setting.key)
    return setting.comment or (described.about if described else "")


def _is_skipped(key: str) -> bool:
    return key.split(".")[0] == "hydra" or any(part in SKIPPED for part in key.split("."))


def _lists(nav: object) -> Iterator[list[object]]:
    """Every list in the navigation, at any depth."""
    if isinstance(nav, list):
        yield nav
    for each in nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else ():
        yield from _lists(each)
