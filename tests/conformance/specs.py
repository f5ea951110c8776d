"""The services' own descriptions, where they are at hand: `shared/specs` beside the repository."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "specs"
#: Why nothing is held against them, where they are not.
MISSING = "the services' descriptions (../shared/specs) are not beside this checkout"


def there() -> bool:
    """Whether the descriptions are at hand."""
    return FOLDER.is_dir()


@cache
def load(name: str) -> Any:
    """One of them, parsed."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def adapted(document: Any) -> Any:
    """A document as JSON Schema reads it: OpenAPI 3.0's `nullable`, and number beside integer under `oneOf`."""
    if isinstance(document, list):
        return [adapted(item) for item in document]
    if not isinstance(document, dict):
        return document
    changed = {"anyOf" if key == "oneOf" else key: adapted(value) for key, value in document.items()}
    return {"anyOf": [changed, {"type": "null"}]} if changed.pop("nullable", False) is True else changed


class OpenApi:
    """An OpenAPI 3 document, asked about by route: `POST /channels/{}/messages`."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        resource = DRAFT202012.create_resource(document)
        self._registry: Registry[Any] = Registry().with_resource("urn:spec", resource)
        self._operations = {
            f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}": operation
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if isinstance(operation, dict)
        }

    def knows(self, route: str) -> bool:
        """Whether there is such a route."""
        return route in self._operations

    def request(self, route: str) -> dict[str, Any] | None:
        """The schema of a route's JSON body, None where it takes none."""
        content = self._operations[route].get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return schema if isinstance(schema, dict) else None

    def answer(self, route: str, status: int) -> dict[str, Any] | None:
        """The schema of a route's answer with an HTTP status, None where none is told."""
        answers = self._operations[route]["responses"]
        found = answers.get(str(status)) or answers.get(f"{status // 100}XX") or {}
        if "$ref" in found:
            found = self._document["components"]["responses"][found["$ref"].rpartition("/")[2]]
        schema = found.get("content", {}).get("application/json", {}).get("schema")
        return schema if isinstance(schema, dict) else None

    def faults(self, data: Any, schema: dict[str, Any]) -> list[str]:
        """What is wrong with some JSON, a line each."""
        absolute = json.loads(json.dumps(schema).replace('"#/', '"urn:spec#/'))
        errors = Draft202012Validator(absolute, registry=self._registry).iter_errors(data)
        return [f"{error.json_path}: {_deepest(error)}" for error in errors]

    def component(self, name: str) -> dict[str, Any]:
        """The schema of that name."""
        return {"$ref": f"#/components/schemas/{name}"}


def _deepest(error: Any) -> str:
    """The message of the branch that fits best: an `anyOf` by itself only says that none does."""
    while error.context:
        error = max(error.context, key=lambda cause: (len(cause.path), -len(cause.context or ())))
    said = f"{error.json_path.removeprefix('$')} {error.message}"
    return said if len(said) <= 300 else f"{said[:100]} … {said[-150:]}"
