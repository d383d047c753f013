"""MNIST from OpenML, by a stand-in on this machine, and the cache that keeps it."""

from __future__ import annotations

import hashlib
import http.client
import http.server
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tqdm import tqdm

import genlab
from genlab.datasets import mnist as mnist_room
from genlab.errors import InputError
from tests.files import some_images


class OpenML:
    """A small OpenML: answers scikit-learn's questions over a real socket, from 15 digits instead of 70,000."""

    def __init__(self) -> None:
        self.images = some_images(15, 28, 28)
        self.labels = np.arange(15) % 10
        self.asked: list[str] = []
        self.status = 200
        self.cut = 0
        pixels = "\n".join(f"@ATTRIBUTE pixel{number} REAL" for number in range(1, 785))
        rows = (",".join(map(str, [*image.ravel(), label])) for image, label in zip(self.images, self.labels, strict=True))
        header = f"@RELATION mnist_784\n{pixels}\n@ATTRIBUTE class {{0,1,2,3,4,5,6,7,8,9}}\n@DATA\n"
        self.arff = (header + "\n".join(rows) + "\n").encode()
        self.md5 = hashlib.md5(self.arff).hexdigest()

        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in.asked.append(self.path)
                body = stand_in.answer(self.path)
                self.send_response(stand_in.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) - stand_in.cut])

            def log_message(self, format: str, *args: Any) -> None:
                """A test needs no access log."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, path: str) -> bytes:
        if path.endswith(".arff"):
            return self.arff
        if "data_name" in path:
            return json.dumps({"data": {"dataset": [{"did": 554, "version": 1}]}}).encode()
        if "features" in path:
            column = {"is_target": "false", "is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0"}
            columns = [column | {"index": str(i), "name": f"pixel{i + 1}", "data_type": "numeric"} for i in range(784)]
            columns.append(column | {"index": "784", "name": "class", "data_type": "nominal", "is_target": "true"})
            return json.dumps({"data_features": {"feature": columns}}).encode()
        if "qualities" in path:
            return json.dumps({"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "15.0"}]}}).encode()
        about = {"id": "554", "name": "mnist_784", "version": "1", "status": "active", "format": "ARFF", "description": "digits"}
        about |= {"url": "https://www.openml.org/data/v1/download/52667/mnist_784.arff", "md5_checksum": self.md5}
        return json.dumps({"data_set_description": about}).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def openml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenML]:
    """Leads every https request of urllib to the stand-in."""
    stand_in = OpenML()
    build_opener = urllib.request.build_opener

    class ToStandIn(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            assert request.host.endswith("openml.org")
            assert request.timeout == mnist_room.SILENCE
            address = f"127.0.0.1:{stand_in.server.server_port}"
            return self.do_open(lambda host, **options: http.client.HTTPConnection(address, **options), request)

    monkeypatch.setattr(urllib.request, "build_opener", lambda *handlers: build_opener(ToStandIn(), *handlers))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # scikit-learn's pause before it asks again
    monkeypatch.setattr(mnist_room, "COUNTS", {"train": 12, "test": 3})
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("GENLAB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GENLAB_DATA_DIR", raising=False)
    yield stand_in
    stand_in.close()


def cached(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache" / "mnist").iterdir())


FOUR_FILES = [f"{name}.gz" for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")]
FOUR_FILES += [f"{name}.gz" for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")]


def test_openml_is_asked_once_with_a_bar(openml: OpenML, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opener = object()
    urllib.request.install_opener(opener)  # type: ignore[arg-type]
    try:
        data = genlab.load_dataset("mnist")
        assert urllib.request._opener is opener  # type: ignore[attr-defined]
    finally:
        urllib.request.install_opener(None)  # type: ignore[arg-type]
    assert data.describe() == "mnist: 10/2/3 images 1x28x28, 256 levels"
    assert data.record["source"] == "OpenML, mnist_784, version 1"
    np.testing.assert_array_equal(data.test.images[:, 0], openml.images[12:])
    assert data.test.labels is not None
    assert data.test.labels.tolist() == [2, 3, 4]
    total = sum(len(openml.answer(path)) for path in openml.asked)
    bar = capsys.readouterr().err
    assert "MNIST from OpenML: 100%" in bar
    size = tqdm.format_sizeof(total, divisor=1024)
    assert f"{size}/{size}" in bar
    assert cached(tmp_path) == FOUR_FILES

    openml.asked.clear()
    again = genlab.load_dataset("mnist")
    assert again.record == data.record
    assert openml.asked == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", FOUR_FILES)
def test_a_torn_cache_is_fetched_anew(openml: OpenML, tmp_path: Path, name: str) -> None:
    record = genlab.load_dataset("mnist").record
    path = tmp_path / "cache" / "mnist" / name
    whole = path.read_bytes()
    for torn_bytes in (whole[:-9], b""):
        path.write_bytes(torn_bytes)
        openml.asked.clear()
        assert genlab.load_dataset("mnist").record == record
        assert openml.asked
        assert path.read_bytes() == whole


def test_offline_is_one_sentence(openml: OpenML, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openml.close()
    sentence = r"'mnist' could not be fetched from OpenML \(.*refused.*\); without a network, set GENLAB_DATA_DIR to a folder"
    with pytest.raises(InputError, match=sentence):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []
    assert getattr(urllib.request, "_opener", None) is None


def test_a_server_in_trouble(openml: OpenML, tmp_path: Path) -> None:
    openml.status = 503
    with pytest.raises(InputError, match=r"could not be fetched from OpenML \(HTTP Error 503"):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []


def test_a_download_that_breaks_off(openml: OpenML, tmp_path: Path) -> None:
    openml.cut = 50
    with pytest.raises(InputError, match="could not be fetched from OpenML"):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []


def test_bytes_that_are_not_openmls(openml: OpenML, tmp_path: Path) -> None:
    openml.md5 = "0" * 32
    with pytest.raises(InputError, match=r"could not be fetched from OpenML \(The md5 checksum"):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []


def test_a_table_of_another_size(openml: OpenML, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist_room, "COUNTS", {"train": 60_000, "test": 10_000})
    with pytest.raises(InputError, match=r"must be a table of shape \(70000, 784\); got \(15, 784\)"):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []


def test_a_cache_that_cannot_be_written(openml: OpenML, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(InputError, match=r"'mnist' cannot be kept in '.*mnist' \(GENLAB_CACHE_DIR names another folder\): "):
        genlab.load_dataset("mnist")


def test_a_full_disk_leaves_no_half_file(openml: OpenML, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write_bytes(path, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"'mnist' cannot be kept in .*No space left on device"):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []


def test_the_cache_follows_xdg(openml: OpenML, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENLAB_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    genlab.load_dataset("mnist")
    assert sorted(path.name for path in (tmp_path / "xdg" / "genlab" / "mnist").iterdir()) == FOUR_FILES
