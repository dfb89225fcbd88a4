"""Figures of the package's layout: sizes, cycles, documentation, and the words its code uses.

`python -m benchmarks.house` prints one line a figure; `python -m benchmarks.house --json FILE` writes them as well,
and `--list FIGURE` names the places behind one. Everything is read from the source as text; nothing is imported.
"""

import argparse
import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "spi_lightning"
RETIRED = re.compile(  # words of a private language, as whole words of an identifier
    "interview|asked|told|given|shown|seen|headline|said|settled?|mend|mended|knob|judgement|described|hints|place|room|"
    "patient|several|opening"
)
PHRASES = ("other_sizes", "patient_file", "eight_bit", "beam_square", "whole_or_not_there")
ARRAYS = re.compile(r"\b(Tensor|ndarray|NDArray|Array\w*|BoolArray|FloatArray)\b")
QUANTITY = re.compile(
    r"(distance|wavelength|energy|diameter|pixel_size|voxel|angle|degrees|seconds|radius|length|fluence|spacing|resolution|_m$|_nm$|_ev$|_deg$)"
)
SHAPE_OR_UNIT = re.compile(
    r"\((?:[\w.]+(?: [-+*/]+ \w+)?, ?)+(?:[\w.]+(?: [-+*/]+ \w+)?)?\)|\(\.\.\.,|\bscalar\b"
    r"|\b(?:pixels?|voxels?|speckles?|metres?|m|nm|pm|um|µm|eV|keV|Å|1/Å|1/m|degrees?|deg|rad(?:ians?)?|seconds?|s|bytes?"
    r"|photons?|shares?|per cent|percent)\b"
)


@dataclass(frozen=True)
class Module:
    """One source file of the package with its parsed tree."""

    path: Path

    @cached_property
    def text(self) -> str:
        """Source as text."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Parsed source."""
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        """Dotted name, the package's own for its `__init__.py`."""
        parts = self.path.relative_to(PACKAGE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def lines(self) -> int:
        """Number of lines."""
        return self.text.count("\n")

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method, nested ones included."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def definitions(self) -> Iterator[tuple[ast.AST, str, bool]]:
        """Node, name and whether it is public, of every function and class that is not inside a function."""

        def inside(body: list[ast.stmt], public: bool) -> Iterator[tuple[ast.AST, str, bool]]:
            for node in body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    open_name = public and not node.name.startswith("_")
                    yield node, node.name, open_name
                    if isinstance(node, ast.ClassDef):
                        yield from inside(node.body, open_name)

        return inside(self.tree.body, True)

    def imported(self, known: set[str]) -> set[str]:
        """Modules of the package that this one imports, also inside functions."""
        home = self.name.split(".") if self.path.name == "__init__.py" else self.name.split(".")[:-1]
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = home[: len(home) - node.level + 1] if node.level else []
                stem = ".".join([*base, *(node.module.split(".") if node.module else [])])
                names = [f"{stem}.{alias.name}" if f"{stem}.{alias.name}" in known else stem for alias in node.names]
            else:
                continue
            found.update(name for name in names if name in known)
        return found - {self.name}


def modules() -> list[Module]:
    """Every source file of the package, in order of path."""
    return [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]


def where(module: Module, node: ast.AST, name: str) -> str:
    """File, line and name, as an editor opens them."""
    return f"{module.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)} {name}"


def cycles(sources: list[Module]) -> list[str]:
    """Groups of modules that import each other in a circle, by Tarjan's strongly connected components."""
    known = {module.name for module in sources}
    edges = {module.name: sorted(module.imported(known)) for module in sources}
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[str] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in edges[name]:
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            circle = [stack.pop()]
            while circle[-1] != name:
                circle.append(stack.pop())
            if len(circle) > 1 and not all(each.startswith(min(circle, key=len)) for each in circle):
                found.append(" <-> ".join(sorted(circle)))

    for name in edges:
        if name not in order:
            visit(name)
    return found


def long_functions(sources: list[Module]) -> list[str]:
    """Functions of more than 60 lines."""
    return [
        where(module, node, node.name)
        for module in sources
        for node in module.functions()
        if (node.end_lineno or 0) - node.lineno + 1 > 60
    ]


def untyped(sources: list[Module]) -> list[str]:
    """Functions with an argument or a result that has no type."""
    found = []
    for module in sources:
        for node in module.functions():
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            bare = [each.arg for each in arguments if each.annotation is None and each.arg not in ("self", "cls")]
            if bare or node.returns is None:
                found.append(where(module, node, node.name))
    return found


def undocumented(sources: list[Module]) -> list[str]:
    """Modules and public definitions without a docstring."""
    found = [
        f"{module.path.relative_to(ROOT)}:1"
        for module in sources
        if module.text.strip() and not ast.get_docstring(module.tree)
    ]
    for module in sources:
        for node, name, public in module.definitions():
            if public and not ast.get_docstring(node) and not _is_trivial(node):  # type: ignore[arg-type]
                found.append(where(module, node, name))
    return found


def _is_trivial(node: ast.AST) -> bool:
    """Whether a function overrides something documented elsewhere or is a property of two lines."""
    return isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno <= 2


def documented_arguments(module: Module) -> Iterator[tuple[ast.AST, str, str]]:
    """Node, argument and description, of every `Args:` and `Attributes:` entry of a docstring."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        text = ast.get_docstring(node) or ""
        for section in re.findall(r"^(?:Args|Attributes):\n((?:[ ]+.*\n?|\n)+)", text, flags=re.M):
            for name, description in re.findall(
                r"^    (\**\w[\w, *]*?)(?: \([^)]*\))?: (.*(?:\n {8,}.*)*)", section, flags=re.M
            ):
                yield node, name, " ".join(description.split())


def terse_arguments(sources: list[Module]) -> list[str]:
    """Arguments whose description has three words or fewer."""
    return [
        where(module, node, f"{name}: {description}")
        for module in sources
        for node, name, description in documented_arguments(module)
        if len(description.split()) <= 3
    ]


def takes_arrays(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether an argument is an array, or a number whose name is that of a physical quantity."""
    for each in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
        annotation = ast.unparse(each.annotation) if each.annotation else ""
        if ARRAYS.search(annotation) or ("float" in annotation and QUANTITY.search(each.arg)):
            return True
    return False


def without_shape(sources: list[Module]) -> tuple[list[str], int]:
    """Public functions that take an array or a quantity but document neither shape nor unit; and how many take one."""
    found, passed = [], 0
    for module in sources:
        owners = {id(child): parent for parent in ast.walk(module.tree) for child in ast.iter_child_nodes(parent)}
        for node, name, public in module.definitions():
            if not isinstance(node, ast.FunctionDef) or not (public or name == "__init__") or not takes_arrays(node):
                continue
            owner = owners.get(id(node))
            texts = [ast.get_docstring(node) or ""]
            if isinstance(owner, ast.ClassDef):
                texts.append(ast.get_docstring(owner) or "")
            passed += 1
            if not any(SHAPE_OR_UNIT.search(text) for text in texts):
                found.append(where(module, node, name))
    return found, passed


def retired_words(sources: list[Module]) -> list[str]:
    """Modules that define a name with a retired word, or are called by one."""
    found = []
    for module in sources:
        names = [module.path.stem, *(name for _, name, _ in module.definitions())]
        for node in ast.walk(module.tree):
            if isinstance(node, ast.arg):
                names.append(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.append(node.id)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.append(node.target.id)
        hits = Counter(word for name in names for word in _words(name) if RETIRED.fullmatch(word))
        hits.update(phrase for name in names for phrase in PHRASES if phrase in name)
        if hits:
            found.append(f"{module.path.relative_to(ROOT)} {', '.join(sorted(hits))}")
    return found


def _words(name: str) -> list[str]:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")


def repeated_leaves() -> tuple[list[str], int]:
    """YAML values that repeat the default of the signature they go to; and how many go to one with a default."""
    defaults = _signatures()
    found, compared = [], 0
    for path in sorted((ROOT / "conf").rglob("*.yaml")):
        for target, key, value in _targets(OmegaConf.load(path)):
            known = defaults.get(target.rpartition(".")[2], {})
            if key in known:
                compared += 1
                if known[key] == value:
                    found.append(f"{path.relative_to(ROOT)} {target}({key}={value!r})")
    return found, compared


def _signatures() -> dict[str, dict[str, object]]:
    """Plain defaults of every function, class and dataclass of the package, by name."""
    found: dict[str, dict[str, object]] = {}
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, _defaults(node))
            elif isinstance(node, ast.ClassDef):
                fields = {
                    each.target.id: _plain(each.value)
                    for each in node.body
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.value is not None
                }
                for each in node.body:
                    if isinstance(each, ast.FunctionDef) and each.name == "__init__":
                        fields.update(_defaults(each))
                found[node.name] = fields
    return found


def _defaults(node: ast.FunctionDef) -> dict[str, object]:
    positional = [*node.args.posonlyargs, *node.args.args]
    pairs = [*zip(positional[len(positional) - len(node.args.defaults) :], node.args.defaults, strict=True)]
    pairs += [
        (each, value)
        for each, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        if value is not None
    ]
    return {each.arg: _plain(value) for each, value in pairs}


def _plain(node: ast.AST) -> object:
    try:
        value = ast.literal_eval(ast.unparse(node))
    except (ValueError, SyntaxError):
        return ast.unparse(node)
    return list(value) if isinstance(value, tuple) else value


def _targets(config: object) -> Iterator[tuple[str, str, object]]:
    """Target, key and plain value of every leaf beside a `_target_`."""
    if isinstance(config, DictConfig):
        target = config.get("_target_") if not OmegaConf.is_missing(config, "_target_") else None
        for key in config:
            if OmegaConf.is_interpolation(config, str(key)) or OmegaConf.is_missing(config, str(key)):
                continue
            value = config[key]
            if isinstance(target, str) and not str(key).startswith("_") and not isinstance(value, DictConfig):
                yield target, str(key), OmegaConf.to_container(value) if isinstance(value, ListConfig) else value
            yield from _targets(value)
    elif isinstance(config, ListConfig):
        for value in config:
            yield from _targets(value)


def figures() -> tuple[dict[str, float], dict[str, Callable[[], list[str]]]]:
    """Every figure by name, and for those that count places a function that lists them."""
    sources = modules()
    files = Counter(str(module.path.parent.relative_to(ROOT)) for module in sources)
    definitions = sum(1 for module in sources for _ in module.functions())
    public = len(sources) + sum(1 for module in sources for _, _, is_public in module.definitions() if is_public)
    bare, passed = without_shape(sources)
    repeated, compared = repeated_leaves()
    evaluation = [
        module
        for module in sources
        if module.name.split(".")[1:2] in (["methods"], ["evaluation"])
        or (module.name.split(".")[1:2] == ["apps"] and "evaluat" in module.path.stem)
    ]
    numbers: dict[str, float] = {
        "modules": len(sources),
        "lines": sum(module.lines for module in sources),
        "modules under 100 lines": sum(module.lines < 100 for module in sources),
        "modules over 300 lines": sum(module.lines > 300 for module in sources),
        "lines of apps": sum(module.lines for module in sources if ".apps" in module.name),
        "lines of methods, evaluation and evaluate apps": sum(module.lines for module in evaluation),
        "folders with more than 16 files": sum(count > 16 for count in files.values()),
        "most files in one folder": max(files.values()),
        "cycles": len(cycles(sources)),
        "functions over 60 lines": len(long_functions(sources)),
        "typed, percent": round(100 * (1 - len(untyped(sources)) / definitions), 2),
        "documented, percent": round(100 * (1 - len(undocumented(sources)) / public), 2),
        "arguments described in three words or fewer": len(terse_arguments(sources)),
        "docstrings with shape or unit where needed, percent": round(100 * (1 - len(bare) / passed), 1),
        "files with a retired word": len(retired_words(sources)),
        "YAML leaves that repeat a default, percent": round(100 * len(repeated) / max(compared, 1), 1),
    }
    listed: dict[str, Callable[[], list[str]]] = {
        "cycles": lambda: cycles(sources),
        "long": lambda: long_functions(sources),
        "over300": lambda: [
            f"{module.path.relative_to(ROOT)} {module.lines}" for module in sources if module.lines > 300
        ],
        "folders": lambda: [f"{folder} {count}" for folder, count in files.most_common() if count > 16],
        "untyped": lambda: untyped(sources),
        "undocumented": lambda: undocumented(sources),
        "terse": lambda: terse_arguments(sources),
        "shapes": lambda: bare,
        "retired": lambda: retired_words(sources),
        "yaml": lambda: repeated,
    }
    return numbers, listed


def main() -> None:
    """Print the figures, or the places behind one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument(
        "--list", dest="listed", help="name the places behind one figure: cycles, long, terse, shapes, retired, ..."
    )
    arguments = parser.parse_args()
    numbers, listed = figures()
    if arguments.listed:
        print("\n".join(listed[arguments.listed]()) if arguments.listed in listed else f"one of {', '.join(listed)}")
        return
    for name, value in numbers.items():
        print(f"{name:<56}{value:>10,}")
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
