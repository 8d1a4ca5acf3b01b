"""What the code of a script reads of the settings that its rule declares, found without running it."""

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from blemore.configuration import kind_schemas
from blemore.problems import load_schema

LOOPS = (ast.For, ast.DictComp, ast.GeneratorExp, ast.ListComp)
SETTINGS = ("settings", "untracked", "runtime")  # functions of rules/common.smk that pick from the configuration


class Param(NamedTuple):
    """What a rule declares under one name."""

    settings: set[str] | None  # None: no settings of the configuration, or not by their names
    whole: bool  # an encoder or a head with all of its settings


def declared(rules: Path) -> dict[str, tuple[str, dict[str, Param]]]:
    """Rule -> its script, and what its `params` are."""
    found = {}
    for file in sorted(rules.glob("*.smk")):
        for name, text in re.findall(r"(?ms)^rule (\w+):\n(.*?)(?=^\S|\Z)", file.read_text()):
            script = re.search(r'script:\s+"../workflow/scripts/(\w+\.py)"', text)
            section = re.search(r"(?m)^    params:\n((?:        .*\n|\n)*)", text)
            if script and section:
                call = ast.parse(f"f(\n{textwrap.dedent(section[1])})", mode="eval").body
                found[name] = script[1], {keyword.arg: _param(keyword.value) for keyword in call.keywords}
    return found


def _param(value: ast.expr) -> Param:
    picked = isinstance(value, ast.Call) and ast.unparse(value.func) in SETTINGS
    if not picked or any(isinstance(argument, ast.Starred) for argument in value.args):
        return Param(None, False)
    names = [argument.value if isinstance(argument, ast.Constant) else "{}" for argument in value.args]
    named = names if ast.unparse(value.func) == "runtime" else names[1:]
    if any("{" in name for name in named):
        return Param(None, names[0] != "concatenations")
    return Param(set(named), False)


def of_kinds(what: str, kinds: tuple[str, ...]) -> set[str]:
    """All settings of some kinds of encoders or heads, of the blocks in them as well."""
    schemas = kind_schemas(load_schema("config"), what)
    return {name for kind in kinds for name in _names(schemas[kind])}


def _names(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, entry in schema.get("properties", {}).items():
        yield name
        yield from _names(entry)


class Module:
    """Top-level definitions of one file, and what its imports stand for."""

    def __init__(self, path: Path) -> None:
        tree = ast.parse(path.read_text())
        self.defined: dict[str, ast.AST] = {}
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            names += [node.name] if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else []
            self.defined |= dict.fromkeys(names, node)
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("blemore")]
        self.imported = {(alias.asname or alias.name): (node.module, alias.name) for node in imports for alias in node.names}


read_module = cache(Module)


class Code:
    """The definitions that `main` of a script reaches by their names, a class with all of its methods.

    Args:
        scripts: workflow/scripts of a checkout.
    """

    def __init__(self, scripts: Path, script: str) -> None:
        self.scripts = scripts
        self.nodes: dict[ast.AST, None] = {}
        self.callees: dict[str, list[ast.AST]] = {}
        waiting = [*self._find(read_module(scripts / script), "main")]
        while waiting:
            module, node = waiting.pop()
            if node not in self.nodes:
                self.nodes[node] = None
                waiting += self._named(module, node)

    def _file(self, dotted: str) -> Path | None:
        path = self.scripts.joinpath(*dotted.split("."))
        return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)

    def _find(self, module: Module, name: str) -> Iterator[tuple[Module, ast.AST]]:
        """What a name of a module stands for; a module that is handed on by its name stands for all that it defines."""
        if name in module.defined:
            self.callees.setdefault(name, []).append(module.defined[name])
            yield module, module.defined[name]
        elif name in module.imported:
            source, original = module.imported[name]
            if whole := self._file(f"{source}.{original}"):
                yield from ((read_module(whole), node) for node in read_module(whole).defined.values())
            elif file := self._file(source):
                yield from self._find(read_module(file), original)

    def _named(self, module: Module, node: ast.AST) -> Iterator[tuple[Module, ast.AST]]:
        of_modules = set()
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in module.imported:
                source, original = module.imported[part.value.id]
                if whole := self._file(f"{source}.{original}"):
                    of_modules.add(part.value)
                    yield from self._find(read_module(whole), part.attr)
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part not in of_modules:
                yield from self._find(module, part.id)

    @cached_property
    def parts(self) -> list[ast.AST]:
        """Every node of all that is reached."""
        return [part for node in self.nodes for part in ast.walk(node)]

    @cached_property
    def attributes(self) -> set[str]:
        """Names that are read as attributes of whatever."""
        return {node.attr for node in self.parts if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}

    @cached_property
    def reads(self) -> set[str]:
        """Settings that are read: as `block["name"]`, or by a function or class that takes a block apart as `**block`."""
        found = set()
        for node in self.parts:
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.ctx, ast.Load):
                found.add(node.slice.value)
            elif isinstance(node, ast.Call):
                found |= self._by_call(node)
            elif isinstance(node, LOOPS):
                found |= _by_loop(node)
        return found

    def _by_call(self, call: ast.Call) -> set[str]:
        name, arguments = ast.unparse(call.func), call.args
        if name.endswith((".get", ".pop")) and arguments and isinstance(arguments[0], ast.Constant):
            return {arguments[0].value}
        if name == "partial":
            name, arguments = ast.unparse(arguments[0]), arguments[1:]
        if all(keyword.arg for keyword in call.keywords):
            return set()
        return {used for callee in self.callees.get(name.rpartition(".")[2], ()) for used in self._used(callee)}

    def _used(self, callee: ast.AST) -> set[str]:
        """Parameters that a function uses, fields that are looked at of a class, each of which `**block` may have given."""
        if isinstance(callee, ast.ClassDef):
            made = next((node for node in callee.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"), None)
            if not made:
                return {node.target.id for node in callee.body if isinstance(node, ast.AnnAssign)} & self.attributes
            callee = made
        if not isinstance(callee, ast.FunctionDef):
            return set()
        taken = {argument.arg for argument in (*callee.args.args, *callee.args.kwonlyargs)}
        return taken & {node.id for statement in callee.body for node in ast.walk(statement) if isinstance(node, ast.Name)}

    def read_of(self, param: str) -> set[str]:
        """Settings that are read directly of one entry of `params`."""
        found = set()
        for function in (node for node in self.nodes if isinstance(node, ast.FunctionDef)):
            known = _aliases(function)
            for node in ast.walk(function):
                if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and _param_of(node.value, known) == param:
                    found.add(node.slice.value)
        return found


def _by_loop(loop: Any) -> set[str]:
    """Names of `for name in ("a", "b"): … block[name]`."""
    target, listed = (loop.target, loop.iter) if isinstance(loop, ast.For) else (loop.generators[0].target, loop.generators[0].iter)
    names = {node.value for node in listed.elts if isinstance(node, ast.Constant)} if isinstance(listed, ast.Tuple) else set()
    picked = any(isinstance(node, ast.Subscript) and ast.unparse(node.slice) == ast.unparse(target) for node in ast.walk(loop))
    return names if picked else set()


def _aliases(function: ast.FunctionDef) -> dict[str, str]:
    """Local names that stand for `snakemake.params` ("") or for an entry of it."""
    known: dict[str, str] = {}
    for node in (node for node in ast.walk(function) if isinstance(node, ast.Assign)):
        targets = node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else node.targets
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for target, value in zip(targets, values):
            param = _param_of(value, known)
            if isinstance(target, ast.Name) and param is not None:
                known[target.id] = param
    return known


def _param_of(value: ast.AST, known: Mapping[str, str]) -> str | None:
    """Which entry of `params` an expression is, "" for all of them, None for anything else."""
    if isinstance(value, ast.Name):
        return known.get(value.id)
    if ast.unparse(value) == "snakemake.params":
        return ""
    if isinstance(value, ast.Attribute) and _param_of(value.value, known) == "":
        return value.attr
    if isinstance(value, ast.Subscript) and not isinstance(value.slice, ast.Constant):
        return _param_of(value.value, known)  # a recipe by its name
    return None
