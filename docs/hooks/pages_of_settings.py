"""Pages of the reference of commands and of groups of settings, made from conf/ when the site is built."""

from collections.abc import Iterator

import yaml
from arguments_of import arguments_of
from markdown_text import code, prose, table
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from spi_lightning.apps.spi import FILE_KEY
from spi_lightning.locations import CONF
from spi_lightning.settings.comments import Choice, Setting, read_choice

COMMANDS, SETTINGS = "reference/commands", "reference/settings"
SKIPPED = ("_target_", "_partial_", "defaults", "_convert_")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The pages stand in the navigation behind the index of their folder."""
    for entries in list(lists_of(config.nav)):
        if f"{COMMANDS}/index.md" in entries:
            entries.extend({name: f"{COMMANDS}/{name}.md"} for name in FILE_KEY)
        if f"{SETTINGS}/index.md" in entries:
            entries.extend({group: f"{SETTINGS}/{page(group)}.md"} for group in groups())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to the files of the site."""
    pages = {f"{COMMANDS}/{name}": command_page(name) for name in FILE_KEY}
    pages |= {f"{SETTINGS}/{page(group)}": group_page(group) for group in groups()}
    for name, text in pages.items():
        files.append(File.generated(config, f"{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The indices end with the commands, and with the groups and the first sentence of each choice."""
    if page.file.src_uri == f"{COMMANDS}/index.md":
        first = {name: read_choice(CONF / f"{name}.yaml").first_sentence for name in FILE_KEY}
        rows = [(f"[{code('spi ' + name)}]({name}.md)", prose(sentence)) for name, sentence in first.items()]
        return f"{markdown}\n\n{table(('command', 'what it does'), rows)}"
    return f"{markdown}\n\n{choices()}" if page.file.src_uri == f"{SETTINGS}/index.md" else markdown


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
    """What one command does, examples, and its settings."""
    choice, key = read_choice(CONF / f"{name}.yaml"), FILE_KEY[name]
    bare = f"A word without = is {code(key + '=')}." if key else ""
    examples = "```bash\n" + "\n".join(choice.examples) + "\n```" if choice.examples else ""
    parts = [f"# spi {name}", prose(choice.about), examples, bare, _defaults(choice), _settings(choice)]
    return "\n\n".join(part for part in parts if part)


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
    return choice.first_sentence or arguments_of(choice.value("_target_")).about.split(". ")[0].rstrip(".")


def _built(choice: Choice) -> str:
    target = choice.value("_target_")
    return f"Builds {code(target)}: {prose(arguments_of(target).about)}" if target else ""


def _defaults(choice: Choice) -> str:
    """The choices of other groups that a file begins with; of one that is null, the name of the group alone."""
    entries = (yaml.safe_load(choice.path.read_text(encoding="utf-8")) or {}).get("defaults", [])
    chosen = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
    chosen = [(group.removeprefix("override ").strip("/").split("@")[0], name) for group, name in chosen]
    base = [entry for entry in entries if isinstance(entry, str) and entry != "_self_"]
    text = f"As {', '.join(map(code, base))}, but for what follows.\n\n" if base else ""
    named = ", ".join(_link(group, name) for group, name in chosen if "hydra" not in group)
    return text + (f"Choices of groups: {named}." if named else "")


def _link(group: str, name: str | None) -> str:
    """A choice, or a group of which none is chosen, with a link to its page."""
    words = code(group if name is None else f"{group}={name}")
    return f"[{words}](../settings/{page(group)}.md{f'#{name}' if name else ''})" if group in groups() else words


def _settings(choice: Choice) -> str:
    """Table of the keys of a file, then the other arguments of what it builds."""
    shown = [each for each in choice.settings if not _is_skipped(each.key) and (each.value or each.comment)]
    rows = [(code(each.key), code(each.value), prose(_meaning(each, choice))) for each in shown]
    written = {each.key for each in choice.settings}
    known = arguments_of(choice.value("_target_")).arguments
    further = [each for each in known if each.default and each.name not in written]
    text = table(("key", "value", "meaning"), rows) if rows else ""
    if further:
        more = [(code(each.name), code(each.default), prose(each.about)) for each in further]
        text += "\n\nFurther keys, at the values of the signature:\n\n" + table(("key", "value", "meaning"), more)
    return text


def _meaning(setting: Setting, choice: Choice) -> str:
    """Comment of a setting, or what the docstring of the part it belongs to says of it."""
    part, _, name = setting.key.rpartition(".")
    known = arguments_of(choice.value(f"{part}._target_" if part else "_target_")).arguments
    return setting.comment or next((each.about for each in known if each.name == name), "")


def _is_skipped(key: str) -> bool:
    return key.split(".")[0] == "hydra" or any(part in SKIPPED for part in key.split("."))


def lists_of(nav: object) -> Iterator[list[object]]:
    """Every list in the navigation, at any depth."""
    if isinstance(nav, list):
        yield nav
    for each in nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else ():
        yield from lists_of(each)
