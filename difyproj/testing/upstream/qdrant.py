"""Qdrant's REST interface as far as the store uses it: collections in memory, compared one by one."""

from __future__ import annotations

from collections.abc import Mapping
from operator import mul
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from difyproj.kernel import jsonio

from .script import BadRequest, Document, Frames, Received, Script, Understood


class _Missing(BadRequest):
    status = 404


class _Exists(BadRequest):
    status = 409


class _Collection:
    def __init__(self, size: int) -> None:
        self.size = size
        self.points: dict[UUID, tuple[list[float], Mapping[str, Any]]] = {}

    def put(self, points: list[Any]) -> None:
        for point in points:
            if len(point["vector"]) != self.size:
                raise BadRequest(f"Wrong input: Vector dimension error: expected dim: {self.size}, got {len(point['vector'])}")
        self.points |= {UUID(point["id"]): (point["vector"], point["payload"]) for point in points}

    def delete(self, body: Mapping[str, Any]) -> None:
        gone = [UUID(key) for key in body["points"]] if "points" in body else self._matching(body["filter"])
        for key in gone:
            self.points.pop(key, None)

    def nearest(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        keys = self._matching(body["filter"]) if body.get("filter") else [*self.points]
        found = [{"id": str(key), "version": 1, "score": sum(map(mul, body["query"], self.points[key][0]))} for key in keys]
        return sorted(found, key=lambda one: -one["score"])[: body["limit"]]

    def _matching(self, given: Mapping[str, Any]) -> list[UUID]:
        (condition,) = given["must"]
        wanted = set(condition["match"]["any"])
        return [key for key, (_, payload) in self.points.items() if payload[condition["key"]] in wanted]


class QdrantWire:
    def __init__(self) -> None:
        self.collections: dict[str, _Collection] = {}

    def is_stream(self, request: Received) -> bool:
        return False

    def understand(self, request: Received) -> Understood:
        raise BadRequest("Qdrant has no chat.")

    def frames(self, script: Script, asked: Understood, request: Received) -> Frames:
        raise BadRequest("Qdrant has no chat.")

    def document(self, script: Script, request: Received) -> Document:
        _, room, name, *rest = urlsplit(request.path).path.split("/")
        if room != "collections":
            raise _Missing("Not found")
        result = self._answer(request.method, name, "/".join(rest), request.body)
        return Document(jsonio.dumps({"result": result, "status": "ok", "time": 0.001}))

    def error(self, status: int, message: str) -> Any:
        return {"status": {"error": message}, "time": 0.0}

    def _answer(self, method: str, name: str, rest: str, body: Any) -> Any:
        if (method, rest) == ("PUT", ""):
            if name in self.collections:
                raise _Exists(f"Wrong input: Collection `{name}` already exists!")
            if body["vectors"]["distance"] != "Dot":
                raise BadRequest("This one compares by inner products only.")
            self.collections[name] = _Collection(body["vectors"]["size"])
            return True
        if (method, rest) == ("DELETE", ""):
            return self.collections.pop(name, None) is not None
        if name not in self.collections:
            raise _Missing(f"Not found: Collection `{name}` doesn't exist!")
        collection = self.collections[name]
        match method, rest:
            case "PUT", "index":
                return {"status": "completed"}
            case "PUT", "points":
                collection.put(body["points"])
                return {"status": "completed"}
            case "POST", "points/delete":
                collection.delete(body)
                return {"status": "completed"}
            case "POST", "points/query":
                return {"points": collection.nearest(body)}
        raise _Missing("Not found")
